import { PERF_TYPE_HARDWARE, PERF_TYPE_HW_CACHE, PERF_TYPE_SOFTWARE } from './catalog.ts';

/** Events that perf(1) names on every machine: `include/uapi/linux/perf_event.h`, and perf-list(1) for the names. */
export interface GenericEvent {
  readonly type: number;
  readonly config: bigint;
  /** What a count is to be multiplied by, and what it then is in. */
  readonly scale?: number;
  readonly unit?: string;
}

const HARDWARE: readonly (readonly string[])[] = [
  ['cpu-cycles', 'cycles'],
  ['instructions'],
  ['cache-references'],
  ['cache-misses'],
  ['branch-instructions', 'branches'],
  ['branch-misses'],
  ['bus-cycles'],
  ['stalled-cycles-frontend', 'idle-cycles-frontend'],
  ['stalled-cycles-backend', 'idle-cycles-backend'],
  ['ref-cycles'],
];

const SOFTWARE: readonly (readonly string[])[] = [
  ['cpu-clock'],
  ['task-clock'],
  ['page-faults', 'faults'],
  ['context-switches', 'cs'],
  ['cpu-migrations', 'migrations'],
  ['minor-faults'],
  ['major-faults'],
  ['alignment-faults'],
  ['emulation-faults'],
  ['dummy'],
  // BPF_OUTPUT is for programs to write to.
  [],
  ['cgroup-switches'],
];

/** This and the one before it count nanoseconds. */
const TASK_CLOCK = 1;

const CACHES: readonly (readonly string[])[] = [
  ['L1-dcache', 'l1-d', 'l1d', 'L1-data'],
  ['L1-icache', 'l1-i', 'l1i', 'L1-instruction'],
  ['LLC', 'L2'],
  ['dTLB', 'd-tlb', 'Data-TLB'],
  ['iTLB', 'i-tlb', 'Instruction-TLB'],
  ['branch', 'branches', 'bpu', 'btb', 'bpc'],
  ['node'],
];
const OPS: readonly (readonly string[])[] = [
  ['load', 'loads', 'read'],
  ['store', 'stores', 'write'],
  ['prefetch', 'prefetches', 'speculative-read', 'speculative-load'],
];
const RESULTS: readonly (readonly string[])[] = [
  ['refs', 'Reference', 'ops', 'access'],
  ['misses', 'miss'],
];

/** Which operations a cache has: bits of `OPS`. The kernel refuses the others. */
const CACHE_OPS: readonly number[] = [0b111, 0b101, 0b111, 0b111, 0b001, 0b001, 0b111];

const found = (table: readonly (readonly string[])[], name: string): number =>
  table.findIndex((names) => names.some((each) => each.toLowerCase() === name.toLowerCase()));

/** `L1-dcache-load-misses`: a cache, then an operation and a result in any order; `undefined` for what is none. */
function cacheEvent(name: string): GenericEvent | undefined {
  const unit = CACHES.findIndex((names) => names.some((each) => name === each || name.startsWith(`${each}-`)));
  const head = CACHES[unit]
    ?.filter((each) => name === each || name.startsWith(`${each}-`))
    .reduce((a, b) => (b.length > a.length ? b : a));
  if (head === undefined) return undefined;
  let rest = name.slice(head.length + 1);
  let [op, result] = [-1, -1];
  while (rest !== '') {
    // `speculative-read` holds a hyphen itself.
    const word = /^(?:speculative-)?[A-Za-z]+/.exec(rest)?.[0] ?? '';
    const [asOp, asResult] = [found(OPS, word), found(RESULTS, word)];
    if (asOp >= 0 && op < 0) op = asOp;
    else if (asResult >= 0 && result < 0) result = asResult;
    else return undefined;
    rest = rest.slice(word.length).replace(/^-/, '');
  }
  [op, result] = [Math.max(op, 0), Math.max(result, 0)];
  if ((((CACHE_OPS[unit] as number) >> op) & 1) === 0) return undefined;
  return { type: PERF_TYPE_HW_CACHE, config: BigInt(unit | (op << 8) | (result << 16)) };
}

/** The event of a name; `undefined` where it is none of these. */
export function genericEvent(name: string): GenericEvent | undefined {
  const exact = (table: readonly (readonly string[])[]): number => table.findIndex((names) => names.includes(name));
  const [hardware, software] = [exact(HARDWARE), exact(SOFTWARE)];
  if (hardware >= 0) return { type: PERF_TYPE_HARDWARE, config: BigInt(hardware) };
  if (software >= 0) {
    const inTime = software <= TASK_CLOCK ? { scale: 1e-9, unit: 'seconds' } : {};
    return { type: PERF_TYPE_SOFTWARE, config: BigInt(software), ...inTime };
  }
  return cacheEvent(name);
}

/** The names, the usual one of each event. */
export const genericNames: readonly string[] = [...HARDWARE, ...SOFTWARE].flatMap((names) => names.slice(0, 1));
