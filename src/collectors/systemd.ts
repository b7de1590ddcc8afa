import { defineCollector, type Host, type Turn } from '../core/collector.ts';
import { askEach, type Basic, CallError, type Peer } from '../core/daemons.ts';
import { ParseError, UsageError } from '../core/errors.ts';
import type { Faults } from '../core/faults.ts';
import { flag } from '../core/flag.ts';
import type { Logger } from '../core/log.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { compilePattern, ownPattern, type Pattern } from '../core/pattern.ts';
import type { Writer } from '../core/writer.ts';

const PREFIX = 'collector.systemd.';
const PATH = '/org/freedesktop/systemd1';
const SYSTEMD = 'org.freedesktop.systemd1';

/** A unit is in one of these, or for a while in another. */
const STATES = ['active', 'activating', 'deactivating', 'inactive', 'failed'] as const;

/** What systemd says where there is no limit, and no number. */
const UNLIMITED = 2 ** 64;

/** The first that tells its own state and when timers last ran. */
const VERSION_OF_STATE = 212;

const metrics = {
  version: gauge('node_systemd_version', "systemd's version.", 'version'),
  virtualization: gauge(
    'node_systemd_virtualization_info',
    'What systemd takes the machine for: a kind of virtual machine or of container, or `none`; always 1.',
    'virtualization_type',
  ),
  running: gauge('node_systemd_system_running', 'Whether all is up and nothing has failed.'),
  units: gauge('node_systemd_units', 'Number of units in each state.', 'state'),
  state: gauge('node_systemd_unit_state', 'Whether the unit is in this state (1).', 'name', 'state', 'type'),
  restarts: counter('node_systemd_service_restart_total', 'How often systemd has restarted the service.', 'name'),
  startTime: gauge(
    'node_systemd_unit_start_time_seconds',
    'When the unit became active, in Unix time; 0 if it is not.',
    'name',
  ),
  tasksCurrent: gauge('node_systemd_unit_tasks_current', 'Number of tasks.', 'name'),
  tasksMax: gauge('node_systemd_unit_tasks_max', 'How many tasks are allowed.', 'name'),
  lastTrigger: gauge('node_systemd_timer_last_trigger_seconds', 'When the timer last ran, in Unix time.', 'name'),
  accepted: counter(
    'node_systemd_socket_accepted_connections_total',
    'Connections that the socket has accepted.',
    'name',
  ),
  connections: gauge('node_systemd_socket_current_connections', 'Connections that are open.', 'name'),
  refused: gauge(
    'node_systemd_socket_refused_connections_total',
    'Connections refused because there were too many.',
    'name',
  ),
} as const;

export interface Unit {
  readonly name: string;
  readonly loadState: string;
  readonly activeState: string;
  /** Of its object. */
  readonly path: string;
}

/** The types of a row of ListUnits: name, description, load, active and substate, followed, object, job's id, type and object. */
const UNIT_TYPES = 'ssssssouso';

const unitOf = ([name, , loadState, activeState, , , path]: readonly Basic[]): Unit => ({
  name: String(name),
  loadState: String(loadState),
  activeState: String(activeState),
  path: String(path),
});

/** `252.39-1~deb12u1` is 252.39; 0 where there is no number that could be a version. */
export const parseVersion = (text: string): number => Number(/[0-9]{3,}(\.[0-9]+)?/.exec(text)?.[0] ?? 0);

/** A property that is a number, and the family that shows it. */
interface Question {
  /** The kind of units that have the property: the end of their names. */
  readonly suffix: string;
  /** The last word of the property's interface. */
  readonly iface: string;
  readonly property: string;
  readonly family: Family<readonly ['name']>;
  /** What the property counts in one of what the family counts. */
  readonly scale?: number;
  /** What is shown for a unit that is not active, which is not asked then. */
  readonly ifInactive?: number;
}

const TIMERS: readonly Question[] = [
  { suffix: '.timer', iface: 'Timer', property: 'LastTriggerUSec', family: metrics.lastTrigger, scale: 1e6 },
];
const SOCKETS: readonly Question[] = [
  { suffix: '.socket', iface: 'Socket', property: 'NAccepted', family: metrics.accepted },
  { suffix: '.socket', iface: 'Socket', property: 'NConnections', family: metrics.connections },
  { suffix: '.socket', iface: 'Socket', property: 'NRefused', family: metrics.refused },
];
const RESTARTS: readonly Question[] = [
  { suffix: '.service', iface: 'Service', property: 'NRestarts', family: metrics.restarts },
];
const TASKS: readonly Question[] = [
  { suffix: '.service', iface: 'Service', property: 'TasksCurrent', family: metrics.tasksCurrent },
  { suffix: '.service', iface: 'Service', property: 'TasksMax', family: metrics.tasksMax },
];
const START_TIMES: readonly Question[] = [
  {
    suffix: '',
    iface: 'Unit',
    property: 'ActiveEnterTimestamp',
    family: metrics.startTime,
    scale: 1e6,
    ifInactive: 0,
  },
];

/** The interfaces of the units that have a type. */
const TYPED: Readonly<Record<string, string>> = { '.service': 'Service', '.mount': 'Mount' };

/** Something to ask of a unit, and what becomes of the answer: `undefined` for a refusal. */
interface Ask {
  readonly unit: Unit;
  readonly iface: string;
  readonly property: string;
  take(value: Basic | undefined): void;
}

function writeStates(out: Writer, { name, activeState }: Unit, type: string): void {
  for (const state of STATES) out.sample(metrics.state, state === activeState ? 1 : 0, name, state, type);
}

/** Writes what is known of a unit, and answers what is to be asked for the rest. */
function beginUnit(out: Writer, unit: Unit, questions: readonly Question[]): Ask[] {
  const { name, activeState } = unit;
  const asks: Ask[] = [];
  const typed = TYPED[name.slice(name.lastIndexOf('.'))];
  if (typed === undefined) writeStates(out, unit, '');
  else asks.push({ unit, iface: typed, property: 'Type', take: (type = '') => writeStates(out, unit, String(type)) });
  for (const { suffix, iface, property, family, scale = 1, ifInactive } of questions) {
    if (!name.endsWith(suffix)) continue;
    const take = (value: Basic | undefined): void => {
      if (typeof value === 'number' && value !== UNLIMITED) out.sample(family, value / scale, name);
    };
    if (ifInactive !== undefined && activeState !== 'active') take(ifInactive);
    else asks.push({ unit, iface, property, take });
  }
  return asks;
}

/** Asks one thing. What is refused costs itself alone: an older systemd has not every property, and units go. */
async function askOne(peer: Peer, { unit, iface, property, take }: Ask, log: Logger, faults: Faults): Promise<void> {
  let value: Basic | undefined;
  try {
    value = await peer.property(unit.path, `${SYSTEMD}.${iface}`, property);
  } catch (error) {
    if (!(error instanceof CallError || error instanceof ParseError)) throw error;
    if (error instanceof ParseError) faults.fault(new ParseError(`${unit.name} ${property}`, error.message));
    else log.debug('property passed over', { unit: unit.name, property, err: error.message });
  }
  take(value);
}

/** Writes what is known of systemd itself, and answers its version. */
async function writeManager(out: Writer, peer: Peer): Promise<number> {
  const property = (name: string): Promise<Basic> => peer.property(PATH, `${SYSTEMD}.Manager`, name);
  const unknown = (error: unknown): undefined => {
    if (!(error instanceof CallError || error instanceof ParseError)) throw error;
    if (error instanceof ParseError) out.fault(error);
  };
  const [versionText, virtualization, state] = await Promise.all([
    property('Version').catch(unknown),
    property('Virtualization').catch(unknown),
    property('SystemState').catch(unknown),
  ]);
  const version = parseVersion(String(versionText));
  out.sample(metrics.version, version, version === 0 ? '' : String(versionText));
  out.sample(metrics.virtualization, 1, virtualization === undefined ? 'unknown' : String(virtualization) || 'none');
  if (version >= VERSION_OF_STATE && state !== undefined) out.sample(metrics.running, state === 'running' ? 1 : 0);
  return version;
}

function writeUnits(out: Writer, units: readonly Unit[]): void {
  const counts = new Map<string, number>(STATES.map((state) => [state, 0]));
  for (const { activeState } of units) counts.set(activeState, (counts.get(activeState) ?? 0) + 1);
  for (const [state, count] of counts) out.sample(metrics.units, count, state);
}

type Filter = (units: readonly Unit[], turn: Turn) => Promise<readonly Unit[]>;

/** Takes those of a scrape's units that are loaded and that the flags want. */
function createUnitFilter(include: Pattern, exclude: Pattern): Filter {
  // Patterns are slow, and a machine may have more units than a pattern remembers.
  let before = new Map<string, boolean>();
  return async (units, turn) => {
    const now = new Map<string, boolean>();
    const found: Unit[] = [];
    for (const unit of units) {
      await turn.pause();
      const { name, loadState } = unit;
      const wants = before.get(name) ?? (include.test(name) && !exclude.test(name));
      now.set(name, wants);
      if (wants && loadState === 'loaded') found.push(unit);
    }
    before = now;
    return found;
  };
}

const flags = {
  include: flag.patternText(
    `${PREFIX}unit-include`,
    'Units to report (RE2, the whole name), unless they are excluded.',
    '.+',
  ),
  exclude: flag.patternText(
    `${PREFIX}unit-exclude`,
    'Units to leave out (RE2, the whole name).',
    '.+\\.(automount|device|mount|scope|slice)',
  ),
  includeOld: flag.patternText(`${PREFIX}unit-whitelist`, 'Units to report.', '', {
    hidden: true,
    deprecated: `${PREFIX}unit-include`,
  }),
  excludeOld: flag.patternText(`${PREFIX}unit-blacklist`, 'Units to leave out.', '', {
    hidden: true,
    deprecated: `${PREFIX}unit-exclude`,
  }),
  tasks: flag.bool(`${PREFIX}enable-task-metrics`, 'Report the number of tasks of each service.'),
  restarts: flag.bool(`${PREFIX}enable-restarts-metrics`, 'Report how often each service was restarted.'),
  startTimes: flag.bool(`${PREFIX}enable-start-time-metrics`, 'Report when each unit was started.'),
  private: flag.bool(`${PREFIX}private`, "Ask systemd on its own socket, without the bus's daemon.", false, {
    hidden: true,
  }),
};

/** The pattern of a flag, or of the flag's old name where that is given. It matches whole names. */
function wholePattern({ flags: values, isGiven }: Host<typeof flags>, kind: 'include' | 'exclude'): Pattern {
  const oldKind = `${kind}Old` as const;
  const old = values[oldKind];
  if (old !== '' && isGiven(kind))
    throw new UsageError(`--${flags[oldKind].name} and --${flags[kind].name} are mutually exclusive`);
  const source = `^(?:${old || values[kind]})$`;
  return isGiven(kind) || isGiven(oldKind) ? compilePattern(source) : ownPattern(source);
}

export default defineCollector({
  name: 'systemd',
  help: 'Exposes the state of systemd and of its units.',
  enabled: false,
  reads: ['/var/run/dbus/system_bus_socket', '/run/systemd/private'],
  flags,
  metrics,
  needs: () => ({ sockets: [{ family: 'unix' }] }),
  setup(host) {
    const { daemons, flags: values, log } = host;
    const ask = daemons.systemd(values.private);
    const wanted = createUnitFilter(wholePattern(host, 'include'), wholePattern(host, 'exclude'));
    const asked = [
      ...SOCKETS,
      ...(values.tasks ? TASKS : []),
      ...(values.restarts ? RESTARTS : []),
      ...(values.startTimes ? START_TIMES : []),
    ];
    return (out, turn) =>
      ask(turn.signal, async (peer) => {
        const version = await writeManager(out, peer);
        const units = (await peer.rows(PATH, `${SYSTEMD}.Manager`, 'ListUnits', UNIT_TYPES)).map(unitOf);
        writeUnits(out, units);
        const questions = version >= VERSION_OF_STATE ? [...TIMERS, ...asked] : asked;
        const asks: Ask[] = [];
        for (const unit of await wanted(units, turn)) {
          await turn.pause();
          asks.push(...beginUnit(out, unit, questions));
        }
        await askEach(asks, (each) => askOne(peer, each, log, out));
      });
  },
});
