import type { CatalogEvent, CatalogKind } from './catalog.ts';
import type { EventGroup, Excluded, TermText } from './event_text.ts';
import type { TracepointName } from './grammar.ts';
import type { Pmu, PmuEvent } from './pmu.ts';
import type { TracepointId } from './tracefs.ts';

/** What is asked for, what the machine has, and what is to be opened where. */

export type PerfKind = CatalogKind | 'tracepoint' | 'event' | 'topdown' | 'cgroup';

/** One counter to open, wherever. */
export interface PlannedEvent extends Partial<Excluded> {
  readonly name: string;
  readonly type: number;
  readonly config: bigint;
  readonly config1?: bigint;
  readonly config2?: bigint;
  /** The configuration for kernels that do not take the PMU's number in its high half. */
  readonly plainConfig?: bigint;
  /** What a count is to be multiplied by, and what it then is in. */
  readonly scale?: number;
  readonly unit?: string;
}

/** Events that one PMU counts on some CPUs, in as few groups as it takes. */
export interface Batch {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly cpus: readonly number[];
  readonly events: readonly PlannedEvent[];
  /**
   * Whether the PMU is none of a core but of a package, or of a part of it: the kernel itself moves the counters to another
   * CPU when theirs goes.
   */
  readonly moves: boolean;
  /** Whether no PMU of cores has a part in it: that a machine shows none is then no reason. */
  readonly isOther?: boolean;
  /** Whether the events are one group that is opened whole or not at all. */
  readonly isWhole?: boolean;
}

/** An event that cannot be opened here, known before trying. */
export interface Missing {
  readonly kind: PerfKind;
  readonly pmu: string;
  readonly event: string;
  readonly why: string;
}

export interface Plan {
  readonly batches: readonly Batch[];
  readonly missing: readonly Missing[];
}

export interface Asked {
  readonly cpus: readonly number[] | undefined;
  readonly catalog: readonly CatalogEvent[];
  readonly tracepoints: readonly TracepointName[];
  readonly events: readonly EventGroup[];
  readonly topdown: boolean;
}

export interface MachineView {
  readonly online: readonly number[];
  readonly pmus: readonly Pmu[];
  /** Throws an `UnknownEventError`, or a `ParseError` for what sysfs says. */
  encode(pmu: string, terms: readonly TermText[]): PmuEvent;
  /** The names of a PMU's events. */
  eventsOf(pmu: string): readonly string[];
  /** A value of the PMU's folder `caps/`. */
  capability(pmu: string, name: string): string | undefined;
  readTracepointId(name: TracepointName): TracepointId;
}

/** Events in a group at most: a read of it fits into a buffer. */
export const GROUP_EVENTS_MAX = 128;

/** The high half of the configuration names the PMU (PERF_PMU_TYPE_SHIFT), where a machine has several kinds of cores. */
export const PMU_TYPE_SHIFT = 32n;
