/** The events that the kernel names itself, whatever the machine: `include/uapi/linux/perf_event.h`. */

export const PERF_TYPE_HARDWARE = 0;
export const PERF_TYPE_SOFTWARE = 1;
export const PERF_TYPE_TRACEPOINT = 2;
export const PERF_TYPE_HW_CACHE = 3;
export const PERF_TYPE_RAW = 4;

export type CatalogKind = 'hardware' | 'software' | 'cache';

export interface CatalogEvent {
  readonly kind: CatalogKind;
  /** As the profiler flags name it. */
  readonly name: string;
  readonly type: number;
  readonly config: bigint;
  readonly metric: string;
  readonly help: string;
}

const event = (
  kind: CatalogKind,
  type: number,
  name: string,
  config: bigint,
  metric: string,
  help: string,
): CatalogEvent => ({ kind, name, type, config, metric: `node_perf_${metric}_total`, help });

const hardware = (name: string, id: number, metric: string, help: string): CatalogEvent =>
  event('hardware', PERF_TYPE_HARDWARE, name, BigInt(id), metric, help);

const software = (name: string, id: number, metric: string, help: string): CatalogEvent =>
  event('software', PERF_TYPE_SOFTWARE, name, BigInt(id), metric, help);

const CACHES = { l1d: 0, l1i: 1, ll: 2, dtlb: 3, itlb: 4, bpu: 5 } as const;
const OPS = { read: 0, write: 1 } as const;
const RESULTS = { access: 0, miss: 1 } as const;

const cache = (
  name: string,
  [unit, op, result]: readonly [keyof typeof CACHES, keyof typeof OPS, keyof typeof RESULTS],
  metric: string,
  help: string,
): CatalogEvent => {
  const config = CACHES[unit] | (OPS[op] << 8) | (RESULTS[result] << 16);
  return event('cache', PERF_TYPE_HW_CACHE, name, BigInt(config), `cache_${metric}`, help);
};

/** Cycles and instructions come first: they share a group wherever the PMU has two counters. */
export const CATALOG: readonly CatalogEvent[] = [
  hardware('CpuCycles', 0, 'cpucycles', 'Cycles that the CPU ran, at its own changing frequency.'),
  hardware('CpuInstr', 1, 'instructions', 'Instructions retired.'),
  hardware('CacheRef', 2, 'cache_refs', 'Accesses to the cache that the CPU counts them for, mostly the last level.'),
  hardware('CacheMisses', 3, 'cache_misses', 'Accesses that missed that cache.'),
  hardware('BranchInstr', 4, 'branch_instructions', 'Branch instructions retired.'),
  hardware('BranchMisses', 5, 'branch_misses', 'Branches that were predicted wrongly.'),
  hardware('StalledCyclesFrontend', 7, 'stalled_cycles_frontend', 'Cycles in which no instruction was ready to issue.'),
  hardware('StalledCyclesBackend', 8, 'stalled_cycles_backend', 'Cycles in which instructions waited for resources.'),
  hardware('RefCpuCycles', 9, 'ref_cpucycles', 'Cycles that the CPU ran, counted at a constant reference frequency.'),
  software('PageFault', 2, 'page_faults', 'Page faults, minor and major.'),
  software('ContextSwitch', 3, 'context_switches', 'Context switches.'),
  software('CpuMigration', 4, 'cpu_migrations', 'Tasks that moved to this CPU or away from it.'),
  software('MinorFault', 5, 'minor_faults', 'Page faults that needed no disk.'),
  software('MajorFault', 6, 'major_faults', 'Page faults that waited for a disk.'),
  cache('L1DataReadHit', ['l1d', 'read', 'access'], 'l1d_read_hits', 'Reads from the L1 data cache, misses included.'),
  cache('L1DataReadMiss', ['l1d', 'read', 'miss'], 'l1d_read_misses', 'Reads that missed the L1 data cache.'),
  cache(
    'L1DataWriteHit',
    ['l1d', 'write', 'access'],
    'l1d_write_hits',
    'Writes to the L1 data cache, misses included.',
  ),
  cache(
    'L1InstrReadMiss',
    ['l1i', 'read', 'miss'],
    'l1_instr_read_misses',
    'Reads that missed the L1 instruction cache.',
  ),
  cache(
    'InstrTLBReadHit',
    ['itlb', 'read', 'access'],
    'tlb_instr_read_hits',
    'Look-ups in the instruction TLB, misses included.',
  ),
  cache('InstrTLBReadMiss', ['itlb', 'read', 'miss'], 'tlb_instr_read_misses', 'Misses in the instruction TLB.'),
  cache(
    'DataTLBReadHit',
    ['dtlb', 'read', 'access'],
    'tlb_data_read_hits',
    'Look-ups in the data TLB for reads, misses included.',
  ),
  cache('DataTLBReadMiss', ['dtlb', 'read', 'miss'], 'tlb_data_read_misses', 'Misses in the data TLB for reads.'),
  cache(
    'DataTLBWriteHit',
    ['dtlb', 'write', 'access'],
    'tlb_data_write_hits',
    'Look-ups in the data TLB for writes, misses included.',
  ),
  cache('DataTLBWriteMiss', ['dtlb', 'write', 'miss'], 'tlb_data_write_misses', 'Misses in the data TLB for writes.'),
  cache('LLReadHit', ['ll', 'read', 'access'], 'll_read_hits', 'Reads from the last level cache, misses included.'),
  cache('LLReadMiss', ['ll', 'read', 'miss'], 'll_read_misses', 'Reads that missed the last level cache.'),
  cache('LLWriteHit', ['ll', 'write', 'access'], 'll_write_hits', 'Writes to the last level cache, misses included.'),
  cache('LLWriteMiss', ['ll', 'write', 'miss'], 'll_write_misses', 'Writes that missed the last level cache.'),
  cache(
    'BPUReadHit',
    ['bpu', 'read', 'access'],
    'bpu_read_hits',
    'Look-ups in the branch prediction unit, misses included.',
  ),
  cache('BPUReadMiss', ['bpu', 'read', 'miss'], 'bpu_read_misses', 'Misses in the branch prediction unit.'),
];
