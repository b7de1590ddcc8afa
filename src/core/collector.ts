import type { Flags, FlagValues } from './flag.ts';
import type { KernelFs } from './kernel_fs.ts';
import type { Logger } from './log.ts';
import type { DynamicFamily, Family, OpenFamily } from './metric.ts';
import type { Writer } from './writer.ts';

export type Metric = Family | DynamicFamily | OpenFamily;
export type Families = Readonly<Record<string, Metric>>;

/** What a collector may touch: the kernel's file trees, its own flags, its logger. Nothing global. */
export interface Host<F extends Flags = Flags> {
  /** `--path.procfs` */
  readonly proc: KernelFs;
  /** `--path.sysfs` */
  readonly sys: KernelFs;
  /** `--path.udev.data` */
  readonly udev: KernelFs;
  /** `--path.rootfs`, without a trailing slash; the root itself is `/`. */
  readonly rootfs: string;
  readonly flags: FlagValues<F>;
  /** Whether a flag was given, on the command line or by its environment variable. */
  isGiven(flag: keyof F): boolean;
  /** Whether a collector of this name runs. */
  isEnabled(collector: string): boolean;
  readonly log: Logger;
  /** Milliseconds since 1970, with their fraction. */
  now(): number;
  /** What `acquire` opened, in this process or in the one before the seal. Missing where the collector has no `acquire`. */
  readonly acquired?: Acquired;
  /** Does `acquire` again, with the privilege of the start. Missing once the process has sealed itself. */
  readonly reacquire?: () => Acquired;
  /** Ends the process in good order with the status that `Machine.end` documents, for its supervisor to start it again. */
  readonly end?: (why: string) => void;
}

/** The capabilities that a collector may ask for, named as in capabilities(7). */
export type Privilege = 'dac_read_search' | 'perfmon' | 'sys_admin';

/** A socket that a collector opens in a scrape: a netlink protocol of `include/uapi/linux/netlink.h`, a TCP port to connect to. */
export type SocketNeed =
  | { readonly family: 'netlink'; readonly protocol: number }
  | { readonly family: 'tcp'; readonly port: number }
  | { readonly family: 'udp' }
  | { readonly family: 'unix' };

/** What the sandbox leaves open for a collector, beside the trees of the kernel and the files that `reads` names. */
export interface Needs {
  /** Files and folders that flags name, as whole paths; a shell pattern stands for what it matches. */
  readonly files?: readonly string[];
  readonly sockets?: readonly SocketNeed[];
  /** Whether it looks up the address of a host by its name. */
  readonly resolves?: boolean;
  /** Paths that it asks about and does not open, such as mount points: they must be reachable for the user who serves. */
  asksAbout?(): readonly string[];
}

/** A descriptor that only a privilege opens, and that stays readable when the privilege is gone. */
export interface Held {
  /** Unique within the collector. */
  readonly key: string;
  readonly fd: number;
  /** What the second stage checks: an open perf event, the file at `path`, or a socket. */
  readonly kind: 'event' | 'file' | 'socket';
  readonly path?: string;
}

export interface Acquired {
  readonly held: readonly Held[];
  /** What else there is to know, as plain JSON: why something could not be opened. */
  readonly facts: unknown;
}

/** One run of a collector. */
export interface Turn {
  /** Aborted when the collector's time is over. */
  readonly signal: AbortSignal;
  /** Milliseconds until then. */
  leftMs(): number;
  /**
   * To be awaited between devices by a collector that may have thousands: `undefined` at once, or, when the event loop has
   * been held for some milliseconds, a promise that lets others run. Throws when the collector's time is over.
   */
  pause(): Promise<void> | undefined;
}

export type Collect = (out: Writer, turn: Turn) => void | Promise<void>;

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
  /** What it opens beyond what `reads` says. A test looks for collectors that open more than they declare. */
  needs?(host: Host<F>): Needs;
  /** Those of these that the process may have are raised around `acquire`, and never otherwise. */
  readonly privileges?: readonly Privilege[];
  /** Opens what only a privilege opens. Runs once at start, before the process seals itself. Never throws for a refusal. */
  acquire?(host: Host<F>): Acquired;
  /** Runs once at start; the function it returns runs at every scrape. Throws a `UsageError` for flags that contradict. */
  setup(host: Host<F>, metrics: M): Collect;
}

/** Declares a collector. An identity function: its work is to infer and check the types. */
export const defineCollector = <const M extends Families, const F extends Flags>(
  collector: Collector<M, F>,
): Collector<M, F> => collector;
