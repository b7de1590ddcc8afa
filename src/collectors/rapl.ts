import { noData } from '../core/absent.ts';
import { type Acquired, type Collect, defineCollector, type Held } from '../core/collector.ts';
import { errnoOf, NoDataError } from '../core/errors.ts';
import { type Faults, unsaid } from '../core/faults.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { counter, dynamic } from '../core/metric.ts';
import { int } from '../core/text.ts';
import { together } from '../core/together.ts';

const POWERCAP = 'class/powercap';
/** Of a joule. */
const MICRO = 1_000_000;

export interface Zone {
  /** `package`, `dram`, `core`… */
  readonly name: string;
  readonly index: number;
  /** Its folder below `class/powercap`: `intel-rapl:0`. */
  readonly folder: string;
}

/**
 * Numbers the zones of these folders, given in order with the content of their `name`. `package-1` is index 1 of `package`;
 * where the name has no number at its end, zones of one name are counted.
 * https://docs.kernel.org/power/powercap/powercap.html
 */
export function numberZones(named: readonly (readonly [folder: string, name: string, ...unknown[]])[]): Zone[] {
  const next = new Map<string, number>();
  return named.map(([folder, full]) => {
    const [first = '', number, ...more] = full.split('-');
    const own = more.length === 0 ? int(number) : undefined;
    const name = own === undefined ? full : first;
    const index = own ?? next.get(name) ?? 0;
    next.set(name, index + 1);
    return { name, index, folder };
  });
}

const energyOf = (folder: string): string => `${POWERCAP}/${folder}/energy_uj`;

/**
 * The zones that have a counter, by their folders. Control types such as `intel-rapl` have no name; zones that only limit power
 * have no `energy_uj`, but a number.
 */
function createZones(sys: Tree) {
  const folder = sys.folder(POWERCAP);
  const nameOf = (zone: string, faults?: Faults): string =>
    sys.file(`${POWERCAP}/${zone}/name`).tryText(faults)?.trim() ?? '';
  return together(
    (faults) =>
      folder.tryNames().flatMap((zone) => {
        const name = nameOf(zone, faults);
        return name === '' ? [] : [[zone, name, sys.exists(energyOf(zone))] as const];
      }),
    (named) => {
      const zones = numberZones(named).filter((_, i) => named[i]?.[2]);
      return new Map(zones.map((zone) => [zone.folder, zone]));
    },
  );
}

/** Opens every zone that the process may open; the facts are the errno of each that it may not, by folder. */
function acquireZones(sys: Tree): Acquired {
  const held: Held[] = [];
  const refused: Record<string, string> = {};
  const zones = createZones(sys);
  zones.tryRead(unsaid);
  for (const folder of zones.made.keys()) {
    const path = sys.path(energyOf(folder));
    try {
      held.push({ key: folder, fd: sys.open(energyOf(folder)), kind: 'file', path });
    } catch (error) {
      refused[folder] = errnoOf(error) ?? 'unknown';
    }
  }
  return { held, facts: { refused } };
}

export default defineCollector({
  name: 'rapl',
  help: 'Exposes the energy that parts of the processor have used.',
  enabled: true,
  reads: ['/sys/class/powercap/<zone>/{name,energy_uj}'],
  flags: {
    zoneLabel: flag.bool('collector.rapl.enable-zone-label', 'Give the zone as a label, in one family for all zones.'),
  },
  metrics: {
    zone: dynamic.counter('node_rapl_<zone>_joules_total', 'Energy used by <zone>.', 'index', 'path'),
    all: counter('node_rapl_joules_total', 'Energy used by the zone.', 'index', 'path', 'rapl_zone'),
  },
  privileges: ['dac_read_search'],
  acquire: ({ sys }) => acquireZones(sys),
  setup({ sys, flags, acquired }, metrics) {
    for (const { key, fd } of acquired?.held ?? []) sys.adopt(energyOf(key), fd);
    const zones = createZones(sys);
    const silent = new Set<string>();
    const energy = sys.devices(
      POWERCAP,
      /./,
      (device, out) => {
        const folder = device.path.slice(POWERCAP.length + 1);
        const zone = zones.made.get(folder);
        if (zone === undefined) return;
        const joules = device.number('energy_uj')?.over(MICRO);
        if (joules === undefined) silent.add(folder);
        else silent.delete(folder);
        const labels = [`${zone.index}`, sys.path(device.path)] as const;
        if (flags.zoneLabel) out.sample(metrics.all, joules, ...labels, zone.name);
        else out.sample(metrics.zone.of(zone.name.replaceAll(/_*[^0-9A-Za-z_]+_*/g, '_')), joules, ...labels);
      },
      { beside: [zones], ifAbsent: noData(`no ${sys.path(POWERCAP)}`) },
    );
    // Where some zones gave their numbers, the collector did succeed.
    const isAnyRead: Collect = () => {
      const folders = [...zones.made.keys()];
      if (folders.length > 0 && folders.every((folder) => silent.has(folder)))
        throw new NoDataError(`energy_uj of ${folders.join(', ')} is readable by root only, or has no value`);
    };
    return [energy, isAnyRead];
  },
});
