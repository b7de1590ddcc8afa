import { openSync, readSync } from 'node:fs';
import { type Acquired, defineCollector, type Held, type Turn } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { errnoOf, hasErrno, NOTHING, NoDataError, optional, parsed, REFUSED } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { counter, dynamic } from '../core/metric.ts';
import { int, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

const POWERCAP = 'class/powercap';

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
export function numberZones(named: readonly (readonly [folder: string, name: string])[]): Zone[] {
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

/** Control types such as `intel-rapl` have no name; zones that only limit power have no `energy_uj`. */
function findZones(sys: Tree): Zone[] {
  const named = sys.list(POWERCAP).flatMap((folder) => {
    const name = sys.exists(energyOf(folder)) ? sys.attribute(`${POWERCAP}/${folder}/name`) : undefined;
    return name === undefined ? [] : [[folder, name] as const];
  });
  return numberZones(named);
}

const energyOf = (folder: string): string => `${POWERCAP}/${folder}/energy_uj`;

const buffer = Buffer.alloc(64);

/** Reads a kept descriptor from its start. The file is never longer than a number. */
const readHeld = (fd: number): string => buffer.toString('latin1', 0, readSync(fd, buffer, 0, buffer.length, 0));

/** Opens every zone that the process may open; the facts are the errno of each that it may not, by folder. */
function acquireZones(sys: Tree): Acquired {
  const held: Held[] = [];
  const refused: Record<string, string> = {};
  for (const { folder } of optional(() => findZones(sys), NOTHING) ?? []) {
    const path = sys.path(energyOf(folder));
    try {
      held.push({ key: folder, fd: openSync(path, 'r'), kind: 'file', path });
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
    const held = new Map(acquired?.held.map(({ key, fd }) => [key, fd]));
    const energy = ({ folder }: Zone): string | undefined => {
      const fd = held.get(folder);
      // A zone whose driver was loaded anew is behind its path only.
      const kept = fd === undefined ? undefined : optional(() => readHeld(fd));
      return kept ?? optional(() => sys.readOnce(energyOf(folder)));
    };
    const write = async (zones: readonly Zone[], out: Writer, turn: Turn): Promise<void> => {
      const refused: string[] = [];
      await eachDevice(zones, turn, (zone) => {
        const { folder, name } = zone;
        let text: string | undefined;
        try {
          text = energy(zone);
        } catch (error) {
          if (!hasErrno(error, REFUSED)) throw error;
          refused.push(folder);
        }
        if (text === undefined) return;
        const microjoules = parsed(uint(text.trim()), sys.path(energyOf(folder)), text);
        const labels = [`${zone.index}`, sys.path(`${POWERCAP}/${folder}`)] as const;
        if (flags.zoneLabel) out.sample(metrics.all, microjoules / 1000000, ...labels, name);
        else out.sample(metrics.zone.of(name.replaceAll(/_*[^0-9A-Za-z_]+_*/g, '_')), microjoules / 1000000, ...labels);
      });
      // Where some zones gave their numbers, the collector did succeed.
      if (refused.length > 0 && refused.length === zones.length)
        throw new NoDataError(`energy_uj of ${refused.join(', ')} is readable by root only`);
    };
    return (out, turn) => {
      const zones = optional(() => findZones(sys), NOTHING);
      if (zones === undefined) throw new NoDataError(`no access to ${sys.path(POWERCAP)}, or no such folder`);
      return write(zones, out, turn);
    };
  },
});
