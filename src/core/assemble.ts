import type { Acquired, Collector, Families, Host } from './collector.ts';
import { type Flag, flag, type ParsedFlags } from './flag.ts';
import type { Ready } from './runner.ts';

/** The facts of the machine that collectors are given. */
export type Machine = Pick<
  Host,
  | 'proc'
  | 'sys'
  | 'udev'
  | 'root'
  | 'rootfs'
  | 'own'
  | 'openTree'
  | 'othersFiles'
  | 'network'
  | 'system'
  | 'daemons'
  | 'log'
  | 'end'
>;

/** A collector, as one of many: what is typed inside its declaration is not known outside. */
// biome-ignore lint/suspicious/noExplicitAny: the declaration has checked that setup takes its own flags and metrics.
export type AnyCollector = Collector<any, any>;

const toggles = new WeakMap<AnyCollector, Flag<boolean>>();

/** `--[no-]collector.<name>` */
export function toggleOf(collector: AnyCollector): Flag<boolean> {
  let toggle = toggles.get(collector);
  if (toggle === undefined) {
    toggle = flag.bool(`collector.${collector.name}`, `Enable the ${collector.name} collector.`, collector.enabled);
    toggles.set(collector, toggle);
  }
  return toggle;
}

/** Which collectors run: those switched on, and by default those enabled, unless the defaults are disabled. */
export const enabledOf = (
  collectors: readonly AnyCollector[],
  parsed: ParsedFlags,
  disableDefaults: boolean,
): AnyCollector[] =>
  collectors.filter((each) => {
    const toggle = toggleOf(each);
    return parsed.isGiven(toggle) || !disableDefaults ? parsed.valueOf(toggle) : false;
  });

export interface HostParts {
  readonly machine: Machine;
  readonly parsed: ParsedFlags;
  readonly enabled: readonly AnyCollector[];
  readonly acquired?: Acquired;
  readonly reacquire?: () => Acquired;
}

/** The names that a collector has declared, but for those that are known only when they are seen. */
const namesOf = ({ metrics }: AnyCollector): string[] =>
  Object.values(metrics as Families).flatMap((metric) => ('name' in metric ? [metric.name] : []));

export function hostOf(collector: AnyCollector, { machine, parsed, enabled, acquired, reacquire }: HostParts): Host {
  const flags = collector.flags as Readonly<Record<string, Flag>>;
  let declared: ReadonlySet<string> | undefined;
  return {
    ...machine,
    log: machine.log.with({ source: `${collector.name}.ts`, collector: collector.name }),
    flags: Object.fromEntries(Object.entries(flags).map(([key, each]) => [key, parsed.valueOf(each)])),
    isGiven: (key) => parsed.isGiven(flags[key] as Flag),
    isEnabled: (name) => enabled.some((each) => each.name === name),
    isDeclared: (family) => {
      declared ??= new Set(enabled.flatMap(namesOf));
      return declared.has(family);
    },
    ...(acquired === undefined ? {} : { acquired }),
    ...(reacquire === undefined ? {} : { reacquire }),
  };
}

/** Sets a collector up. Throws a `UsageError` where its flags contradict one another. */
export function setUp(collector: AnyCollector, host: Host): Ready {
  const { name, isForeign = false } = collector;
  const collect = collector.setup(host, collector.metrics);
  return { name, isForeign, parts: typeof collect === 'function' ? [collect] : collect };
}
