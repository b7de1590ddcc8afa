import { constants, PerformanceObserver } from 'node:perf_hooks';
import process from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { nothing } from '../core/absent.ts';
import { ExporterError, ParseError } from '../core/errors.ts';
import type { Beside, Collect, KernelFile, Line, Lines, Tree } from '../core/host.ts';
import { counter, gauge, histogram } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { uint } from '../core/text.ts';
import { secondsOf } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { parseLimits } from '../parse/limits.ts';

export const metrics = {
  cpu: counter('process_cpu_seconds_total', 'CPU time that this process has used, in user and kernel mode.'),
  openFds: gauge('process_open_fds', 'File descriptors that this process has open.'),
  maxFds: gauge('process_max_fds', 'File descriptors that this process may have open.'),
  virtualMemory: gauge('process_virtual_memory_bytes', 'Address space of this process.'),
  maxVirtualMemory: gauge('process_virtual_memory_max_bytes', 'Address space that this process may have.'),
  residentMemory: gauge('process_resident_memory_bytes', 'Memory of this process that is in RAM.'),
  startTime: gauge('process_start_time_seconds', 'When this process was started, in seconds since 1970.'),
  received: counter(
    'process_network_receive_bytes_total',
    "Bytes that this process's network namespace received over IP.",
  ),
  sent: counter('process_network_transmit_bytes_total', "Bytes that this process's network namespace sent over IP."),
  version: gauge('nodejs_version_info', 'The version of Node.js.', 'version', 'major', 'minor', 'patch'),
  heapTotal: gauge('nodejs_heap_size_total_bytes', "Size of JavaScript's heap."),
  heapUsed: gauge('nodejs_heap_size_used_bytes', "What of JavaScript's heap is in use."),
  external: gauge('nodejs_external_memory_bytes', 'Memory outside the heap that JavaScript objects hold.'),
  lag: gauge(
    'nodejs_eventloop_lag_seconds',
    'How long the event loop kept a task waiting, measured at the scrape before.',
  ),
  layouts: counter(
    'keyhole_layouts_total',
    'How often the files, devices and messages of a collector were laid out, since a word in them was another.',
  ),
  gc: histogram('nodejs_gc_duration_seconds', 'How long garbage collections took.', 'kind'),
} as const;

const TICKS_PER_SECOND = 100;
/** A process' name is 15 bytes at most, in parentheses; it may hold blanks and parentheses itself. */
const NAME_COLUMNS_MAX = 8;

/** Where the name of `/proc/<pid>/stat` ends, as a column. https://docs.kernel.org/filesystems/proc.html */
function nameEnd(line: Line): number {
  let end = -1;
  let name = '';
  for (let i = 1; i <= NAME_COLUMNS_MAX; i += 1) {
    const word = line.find(i) ?? '';
    name += name === '' ? word : ` ${word}`;
    if (name.length > '()'.length + 15) break;
    // A name may look like the fields behind it, so that the last parenthesis counts.
    if (word.endsWith(')')) end = i;
  }
  if (end < 0) throw line.fault();
  return end;
}

/** What `layOutProcess` needs besides the file. */
export interface ProcessFacts {
  /** `undefined` where it is closed to us. */
  readonly pageSizeBytes: number | undefined;
  /** Seconds since 1970; `undefined` where it is closed to us. */
  readonly bootSeconds: number | undefined;
}

/** Lays out `/proc/self/stat`. Fields are counted from 1 in the document, where the name is the second. */
function layOutProcess(all: Lines, out: LayoutWriter, { pageSizeBytes, bootSeconds }: ProcessFacts): void {
  const line = all.at(0);
  if (line === undefined) throw new ParseError('self/stat', '');
  const end = nameEnd(line);
  const field = (number: number): Reading => line.uint(end + number - 2);
  out.sample(metrics.cpu, field(14).plus(field(15)).over(TICKS_PER_SECOND));
  out.sample(metrics.virtualMemory, field(23));
  if (pageSizeBytes !== undefined) out.sample(metrics.residentMemory, field(24).times(pageSizeBytes));
  if (bootSeconds === undefined) return;
  out.sample(
    metrics.startTime,
    field(22).map((ticks) => bootSeconds + ticks / TICKS_PER_SECOND),
  );
}

/** Lays out the bytes over IP in `/proc/<pid>/net/netstat`, which are in the last two lines. */
function layOutIpBytes(all: Lines, out: LayoutWriter): void {
  const rows = [...all];
  const at = rows.findIndex((line) => line.find(0) === 'IpExt:');
  const [names, values] = [rows[at], rows[at + 1]];
  if (at < 0 || names === undefined || values === undefined) return;
  for (let i = 1; i < names.length; i += 1) {
    const name = names.word(i);
    if (name === 'InOctets') out.sample(metrics.received, values.uint(i));
    if (name === 'OutOctets') out.sample(metrics.sent, values.uint(i));
  }
}

const GC_KINDS: Readonly<Record<number, string>> = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};
const GC_BOUNDS = [0.001, 0.01, 0.1, 1, 2, 5] as const;

type GcEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

interface GcKind {
  readonly labels: readonly [kind: string];
  readonly value: { readonly buckets: [le: number, count: number][]; sum: number; count: number };
}

const kindOf = (name: string): GcKind => ({
  labels: [name],
  value: { buckets: [...GC_BOUNDS, Number.POSITIVE_INFINITY].map((bound) => [bound, 0]), sum: 0, count: 0 },
});

function watchGc(): ReadonlyMap<string, GcKind> {
  // All from the start: one that comes later would be another page.
  const kinds = new Map(Object.values(GC_KINDS).map((name) => [name, kindOf(name)]));
  new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as GcEntry[]) {
      const kind = kinds.get(GC_KINDS[detail.kind] ?? '');
      if (kind === undefined) continue;
      const seconds = secondsOf(duration);
      for (const bucket of kind.value.buckets) if (seconds <= bucket[0]) bucket[1] += 1;
      kind.value.sum += seconds;
      kind.value.count += 1;
    }
  }).observe({ entryTypes: ['gc'] });
  return kinds;
}

export interface ExporterMetricsOptions {
  readonly own: Tree;
  readonly pageSizeBytes: number | undefined;
  /** How often something was laid out. */
  readonly layouts: () => number;
}

/** What does not change: read when it is first asked for, and again only where it could not be read. */
function once<T>(read: () => T | undefined): () => T | undefined {
  let known: T | undefined;
  return () => {
    known ??= read();
    return known;
  };
}

/** What cannot be read costs itself alone; the collectors report why. */
function textOf(file: KernelFile): string {
  try {
    return file.tryText() ?? '';
  } catch (error) {
    if (error instanceof ExporterError) return '';
    throw error;
  }
}

/** What is told of the process itself. */
function processParts({ own, pageSizeBytes }: ExporterMetricsOptions): Collect[] {
  const stat = own.passing('stat');
  const bootSeconds = once(() => uint(/^btime (\d+)$/m.exec(textOf(stat))?.[1]));
  /** Once it is known the process is laid out again. */
  const boot: Beside = {
    tryRead: () => bootSeconds() !== undefined,
    get version() {
      return bootSeconds() ?? 0;
    },
  };
  const limitsFile = own.passing('self/limits');
  const limits = once(() => {
    const text = textOf(limitsFile);
    return text === '' ? undefined : parseLimits(text);
  });
  const table = own.table(
    'self/stat',
    (all, out) => layOutProcess(all, out, { pageSizeBytes, bootSeconds: bootSeconds() }),
    { ifAbsent: nothing, beside: [boot] },
  );
  return [
    table,
    (out) => {
      // The folder gives its number of entries as its size since Linux 6.2; counting opens one more.
      out.sample(metrics.openFds, own.sizeBytes('self/fd') || own.list('self/fd').length - 1);
      out.sample(metrics.maxFds, limits()?.openFiles);
      out.sample(metrics.maxVirtualMemory, limits()?.addressSpace);
      if (pageSizeBytes === undefined) out.sample(metrics.residentMemory, process.memoryUsage.rss());
    },
    own.table('net/netstat', layOutIpBytes, { ifAbsent: nothing }),
  ];
}

/** What the runtime says of itself. */
function runtimePart({ layouts }: ExporterMetricsOptions): Collect {
  const gc = watchGc();
  const [major = '', minor = '', patch = ''] = process.version.slice(1).split('.');
  let lagSeconds = 0;
  return (out) => {
    const heap = getHeapStatistics();
    out.sample(metrics.version, 1, process.version, major, minor, patch);
    out.sample(metrics.heapTotal, heap.total_heap_size);
    out.sample(metrics.heapUsed, heap.used_heap_size);
    out.sample(metrics.external, heap.external_memory);
    out.sample(metrics.lag, lagSeconds);
    out.sample(metrics.layouts, layouts());
    for (const { labels, value } of gc.values()) out.histogram(metrics.gc, value, labels);
    const askedAt = performance.now();
    setImmediate(() => {
      lagSeconds = secondsOf(performance.now() - askedAt);
    });
  };
}

/** `process_*`, `nodejs_*` and `keyhole_layouts_total`: parts that stand alone. */
export const exporterParts = (options: ExporterMetricsOptions): Collect[] => [
  ...processParts(options),
  runtimePart(options),
];
