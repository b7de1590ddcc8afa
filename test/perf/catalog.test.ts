import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CATALOG } from '../../src/perf/catalog.ts';

/**
 * By the name of the event, its type and its number, and how `include/uapi/linux/perf_event.h` makes the number. A cache's is the
 * cache, the operation above 8 bits and the result above 16.
 */
const NUMBERS: Readonly<Record<string, readonly [type: number, config: bigint, header: string]>> = {
  CpuCycles: [0, 0n, 'HW_CPU_CYCLES'],
  CpuInstr: [0, 1n, 'HW_INSTRUCTIONS'],
  CacheRef: [0, 2n, 'HW_CACHE_REFERENCES'],
  CacheMisses: [0, 3n, 'HW_CACHE_MISSES'],
  BranchInstr: [0, 4n, 'HW_BRANCH_INSTRUCTIONS'],
  BranchMisses: [0, 5n, 'HW_BRANCH_MISSES'],
  StalledCyclesFrontend: [0, 7n, 'HW_STALLED_CYCLES_FRONTEND'],
  StalledCyclesBackend: [0, 8n, 'HW_STALLED_CYCLES_BACKEND'],
  RefCpuCycles: [0, 9n, 'HW_REF_CPU_CYCLES'],
  PageFault: [1, 2n, 'SW_PAGE_FAULTS'],
  ContextSwitch: [1, 3n, 'SW_CONTEXT_SWITCHES'],
  CpuMigration: [1, 4n, 'SW_CPU_MIGRATIONS'],
  MinorFault: [1, 5n, 'SW_PAGE_FAULTS_MIN'],
  MajorFault: [1, 6n, 'SW_PAGE_FAULTS_MAJ'],
  L1DataReadHit: [3, 0x0_00_00n, 'HW_CACHE_L1D OP_READ RESULT_ACCESS'],
  L1DataReadMiss: [3, 0x1_00_00n, 'HW_CACHE_L1D OP_READ RESULT_MISS'],
  L1DataWriteHit: [3, 0x0_01_00n, 'HW_CACHE_L1D OP_WRITE RESULT_ACCESS'],
  L1InstrReadMiss: [3, 0x1_00_01n, 'HW_CACHE_L1I OP_READ RESULT_MISS'],
  InstrTLBReadHit: [3, 0x0_00_04n, 'HW_CACHE_ITLB OP_READ RESULT_ACCESS'],
  InstrTLBReadMiss: [3, 0x1_00_04n, 'HW_CACHE_ITLB OP_READ RESULT_MISS'],
  DataTLBReadHit: [3, 0x0_00_03n, 'HW_CACHE_DTLB OP_READ RESULT_ACCESS'],
  DataTLBReadMiss: [3, 0x1_00_03n, 'HW_CACHE_DTLB OP_READ RESULT_MISS'],
  DataTLBWriteHit: [3, 0x0_01_03n, 'HW_CACHE_DTLB OP_WRITE RESULT_ACCESS'],
  DataTLBWriteMiss: [3, 0x1_01_03n, 'HW_CACHE_DTLB OP_WRITE RESULT_MISS'],
  LLReadHit: [3, 0x0_00_02n, 'HW_CACHE_LL OP_READ RESULT_ACCESS'],
  LLReadMiss: [3, 0x1_00_02n, 'HW_CACHE_LL OP_READ RESULT_MISS'],
  LLWriteHit: [3, 0x0_01_02n, 'HW_CACHE_LL OP_WRITE RESULT_ACCESS'],
  LLWriteMiss: [3, 0x1_01_02n, 'HW_CACHE_LL OP_WRITE RESULT_MISS'],
  BPUReadHit: [3, 0x0_00_05n, 'HW_CACHE_BPU OP_READ RESULT_ACCESS'],
  BPUReadMiss: [3, 0x1_00_05n, 'HW_CACHE_BPU OP_READ RESULT_MISS'],
};
const KINDS = ['hardware', 'software', undefined, 'cache'] as const;

test('every event of the catalog has the numbers of the kernel, and none is missing', () => {
  assert.deepEqual(CATALOG.map(({ name }) => name).sort(), Object.keys(NUMBERS).sort());
  for (const { name, kind, type, config } of CATALOG) {
    const [expectedType, expectedConfig] = NUMBERS[name] as (typeof NUMBERS)[string];
    assert.deepEqual([type, config, kind], [expectedType, expectedConfig, KINDS[expectedType]], name);
  }
  assert.equal(new Set(CATALOG.map(({ metric }) => metric)).size, CATALOG.length);
});

const HEADER = '/usr/include/linux/perf_event.h';
const skip = existsSync(HEADER) ? false : `${HEADER} is not there (linux-libc-dev)`;

test("these numbers are those of this machine's header", { skip }, () => {
  const constants = new Map(
    [...readFileSync(HEADER, 'utf8').matchAll(/\bPERF_COUNT_(\w+)\s*=\s*(\d+)\s*,/g)].map(([, name, value]) => [
      name as string,
      BigInt(value as string),
    ]),
  );
  for (const [name, [, config, header]] of Object.entries(NUMBERS)) {
    const [first = '', ...rest] = header.split(' ');
    const made = [first, ...rest.map((part) => `HW_CACHE_${part}`)].map((part) => constants.get(part));
    assert.ok(
      made.every((part) => part !== undefined),
      `${name}: ${header}`,
    );
    const [id = 0n, op = 0n, result = 0n] = made as bigint[];
    assert.equal(id | (op << 8n) | (result << 16n), config, name);
  }
});
