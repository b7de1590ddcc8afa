import { statSync } from 'node:fs';
import { constants, PerformanceObserver } from 'node:perf_hooks';
import process from 'node:process';
import { getHeapStatistics } from 'node:v8';
import { optional, ParseError } from '../core/errors.ts';
import { openTree } from '../core/kernel_fs.ts';
import { counter, gauge, histogram } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';
import { Samples, type Writer } from '../core/writer.ts';
import { pageSizeBytes } from '../parse/auxv.ts';

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
  resources: gauge(
    'nodejs_active_resources',
    'Things that keep the event loop alive, such as sockets and timers.',
    'type',
  ),
  gc: histogram('nodejs_gc_duration_seconds', 'How long garbage collections took.', 'kind'),
} as const;

/** Parses the counters of `/proc/<pid>/net/netstat` that tell the bytes over IP. */
export function parseIpBytes(text: string): { received: number; sent: number } | undefined {
  // The lines before are long, and not of interest here.
  const at = text.startsWith('IpExt:') ? 0 : text.indexOf('\nIpExt:') + 1;
  const [names = '', values = ''] = text.startsWith('IpExt:', at) ? text.slice(at).split('\n', 2) : [];
  const columns = fields(names);
  const numbers = fields(values);
  const received = uint(numbers[columns.indexOf('InOctets')]);
  const sent = uint(numbers[columns.indexOf('OutOctets')]);
  return received === undefined || sent === undefined ? undefined : { received, sent };
}

export interface ProcessStat {
  readonly cpuSeconds: number;
  /** Ticks of 10 ms since the machine started. */
  readonly startTicks: number;
  readonly virtualBytes: number;
  readonly residentPages: number;
}

const TICKS_PER_SECOND = 100;

/** Parses `/proc/<pid>/stat`. https://docs.kernel.org/filesystems/proc.html */
export function parseProcessStat(text: string): ProcessStat {
  // The second field, the name, may hold blanks and parentheses; counting starts after it.
  const rest = fields(text.slice(text.lastIndexOf(')') + 1));
  const [user, system, startTicks, virtualBytes, residentPages] = [11, 12, 19, 20, 21].map((place) =>
    uint(rest[place]),
  );
  if (
    user === undefined ||
    system === undefined ||
    startTicks === undefined ||
    virtualBytes === undefined ||
    residentPages === undefined
  )
    throw new ParseError('self/stat', text);
  return { cpuSeconds: (user + system) / TICKS_PER_SECOND, startTicks, virtualBytes, residentPages };
}

/** Parses the soft limits of `/proc/<pid>/limits`; one without limit is the greatest 64 bit number, as the kernel holds it. */
export function parseLimits(text: string): { openFiles: number | undefined; addressSpace: number | undefined } {
  const softLimit = (name: string): number | undefined => {
    const line = lines(text).find((each) => each.startsWith(name));
    const [soft] = fields((line ?? '').slice(name.length));
    return soft === 'unlimited' ? 2 ** 64 : uint(soft);
  };
  return { openFiles: softLimit('Max open files'), addressSpace: softLimit('Max address space') };
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
  readonly counts: number[];
  sum: number;
  count: number;
}

function watchGc(): ReadonlyMap<string, GcKind> {
  const kinds = new Map<string, GcKind>();
  new PerformanceObserver((list) => {
    for (const { duration, detail } of list.getEntries() as GcEntry[]) {
      const name = GC_KINDS[detail.kind] ?? 'other';
      const kind = kinds.get(name) ?? { counts: GC_BOUNDS.map(() => 0), sum: 0, count: 0 };
      kinds.set(name, kind);
      const seconds = duration / 1000;
      for (const [i, bound] of GC_BOUNDS.entries()) if (seconds <= bound) kind.counts[i] = (kind.counts[i] ?? 0) + 1;
      kind.sum += seconds;
      kind.count += 1;
    }
  }).observe({ entryTypes: ['gc'] });
  return kinds;
}

/** `process_*` and `nodejs_*`: this process, from the real `/proc` wherever `--path.procfs` points. */
export function createExporterMetrics(): () => Samples {
  const proc = openTree('/proc');
  const gc = watchGc();
  const [major = '', minor = '', patch = ''] = process.version.slice(1).split('.');
  // Closed to a process that may not be looked into.
  const pageSize = optional(pageSizeBytes, ['EACCES', 'EPERM', 'ENOENT']);
  let limits: ReturnType<typeof parseLimits> | undefined;
  let bootSeconds: number | undefined;
  let lagSeconds = 0;

  const writeProcess = (out: Writer): void => {
    const stat = parseProcessStat(proc.read('self/stat'));
    bootSeconds ??= uint(/^btime (\d+)$/m.exec(proc.readOnce('stat'))?.[1]);
    // They do not change: the start has raised what can be raised.
    limits ??= parseLimits(proc.readOnce('self/limits'));
    const { openFiles, addressSpace } = limits;
    out.sample(metrics.cpu, stat.cpuSeconds);
    out.sample(metrics.virtualMemory, stat.virtualBytes);
    const { residentPages } = stat;
    const residentBytes = pageSize === undefined ? process.memoryUsage.rss() : residentPages * pageSize;
    out.sample(metrics.residentMemory, residentBytes);
    if (bootSeconds !== undefined) out.sample(metrics.startTime, bootSeconds + stat.startTicks / TICKS_PER_SECOND);
    // The folder tells its number of entries as its size since Linux 6.2; counting opens one more.
    out.sample(metrics.openFds, statSync('/proc/self/fd').size || proc.list('self/fd').length - 1);
    if (openFiles !== undefined) out.sample(metrics.maxFds, openFiles);
    if (addressSpace !== undefined) out.sample(metrics.maxVirtualMemory, addressSpace);
    const bytes = parseIpBytes(optional(() => proc.read('self/net/netstat')) ?? '');
    if (bytes === undefined) return;
    out.sample(metrics.received, bytes.received);
    out.sample(metrics.sent, bytes.sent);
  };

  return () => {
    const out = new Samples();
    // Where no descriptor is left, what needs one is missing, and no more.
    optional(() => writeProcess(out), ['EMFILE', 'ENFILE', 'EACCES', 'EPERM', 'ENOENT']);
    const heap = getHeapStatistics();
    out.sample(metrics.version, 1, process.version, major, minor, patch);
    out.sample(metrics.heapTotal, heap.total_heap_size);
    out.sample(metrics.heapUsed, heap.used_heap_size);
    out.sample(metrics.external, heap.external_memory);
    out.sample(metrics.lag, lagSeconds);
    const active = process.getActiveResourcesInfo();
    for (const type of new Set(active))
      out.sample(metrics.resources, active.filter((each) => each === type).length, type);
    for (const [name, { counts, sum, count }] of gc) {
      const buckets = GC_BOUNDS.map((bound, i) => [bound, counts[i] ?? 0] as const);
      out.histogram(metrics.gc, { buckets, sum, count }, [name]);
    }
    const askedAt = performance.now();
    setImmediate(() => {
      lagSeconds = (performance.now() - askedAt) / 1000;
    });
    return out;
  };
}
