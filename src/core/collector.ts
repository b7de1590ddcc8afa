import type { Flags } from './flag.ts';
import type { Acquired, Collect, Host, Privilege } from './host.ts';
import type { DynamicFamily, Family, OpenFamily } from './metric.ts';

export type { Acquired, Collect, Held, Host, Privilege, Turn } from './host.ts';

export type Metric = Family | DynamicFamily | OpenFamily;
export type Families = Readonly<Record<string, Metric>>;

export interface Collector<M extends Families = Families, F extends Flags = Flags> {
  /** As in `--collector.<name>`; the file has the same name. */
  readonly name: string;
  readonly help: string;
  /** Whether it runs by default. */
  readonly enabled: boolean;
  /** The kernel files, for the docs: `/proc/…`, `/sys/…`; `<x>` and `*` stand for names. */
  readonly reads: readonly string[];
  readonly flags: F;
  readonly metrics: M;
  /** Those of these that the process may have are raised around `acquire`, and never otherwise. */
  readonly privileges?: readonly Privilege[];
  /** Opens what only a privilege opens. Runs once at start, before the process seals itself. Never throws for a refusal. */
  acquire?(host: Host<F>): Acquired;
  /**
   * Runs once at start, and makes the handles of everything that is read; what it returns runs at every scrape, and of several
   * parts each whatever becomes of the others. Throws a `UsageError` for flags that contradict.
   */
  setup(host: Host<F>, metrics: M): Collect | readonly Collect[];
  /** What it writes comes from others, who cannot be trusted with series that we write ourselves. */
  readonly isForeign?: boolean;
}

/** Declares a collector. An identity function: its work is to infer and check the types. */
export const defineCollector = <const M extends Families, const F extends Flags>(
  collector: Collector<M, F>,
): Collector<M, F> => collector;
