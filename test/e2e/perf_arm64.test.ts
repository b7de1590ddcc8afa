// Real hardware counters: QEMU emulates those of an arm64 core, exactly where it counts instructions (-icount).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loudly } from '../helpers/debian.ts';
import { lacksGuest, runGuest } from '../helpers/guest.ts';

const skip = loudly(lacksGuest('arm64'));

/** A virtual nanosecond is four to an instruction, and a cycle of the emulated PMU is one. */
const ICOUNT_SHIFT = 2;
const CYCLES_PER_INSTRUCTION = 2 ** ICOUNT_SHIFT;

interface Seen {
  readonly cycles: number;
  readonly instructions: number;
  readonly enabled: number;
  readonly running: number;
}

interface Measured {
  readonly loop: Seen;
  readonly whole: Seen;
}

const near = (value: number, expected: number, part: number, what: string): void =>
  assert.ok(
    Math.abs(value - expected) <= expected * part,
    `${what}: ${value}, not within ${part * 100}% of ${expected}`,
  );

test('cycles and instructions of a known loop, alone and among 24 other counters', { skip }, async (t) => {
  const results = await runGuest({
    arch: 'arm64',
    scenario: 'helpers/guest/counters.ts',
    cpus: 1,
    options: ['-icount', `shift=${ICOUNT_SHIFT},sleep=off`],
    timeoutMs: 300_000,
  });
  const { expected, alone, crowded } = results as { expected: number; alone: Measured; crowded: Measured };
  t.diagnostic(JSON.stringify({ expected, alone, crowded }));
  near(alone.loop.instructions, expected, 0.02, 'instructions');
  near(alone.loop.cycles, expected * CYCLES_PER_INSTRUCTION, 0.02, 'cycles');
  assert.equal(alone.whole.running, alone.whole.enabled);
  const share = crowded.whole.running / crowded.whole.enabled;
  assert.ok(share > 0 && share < 0.9, `the group had to take turns: ${share}`);
  near(crowded.loop.instructions, alone.loop.instructions, 0.1, 'instructions, scaled');
  near(crowded.loop.cycles, alone.loop.cycles, 0.1, 'cycles, scaled');
});

interface CgroupsSeen {
  readonly cycles: Readonly<Record<string, number>>;
  readonly instructions: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
  readonly missing: Readonly<Record<string, number>>;
  readonly states: Readonly<Record<string, number>>;
}

/** What perf(1) loads. */
// biome-ignore format: a list
const PERF_PACKAGES = [
  'linux-perf', 'libbabeltrace1', 'libbz2-1.0', 'libcap2', 'libcrypt1', 'libdw1', 'libelf1', 'libexpat1', 'libglib2.0-0',
  'liblzma5', 'libnuma1', 'libopencsd1', 'libpcre2-8-0', 'libperl5.36', 'libpython3.11', 'libslang2', 'libunwind8', 'libuuid1',
  'libzstd1', 'zlib1g',
];

test('cgroups with known loops, raw events and modifiers, as nobody with CAP_PERFMON', { skip }, async (t) => {
  const results = await runGuest({
    arch: 'arm64',
    scenario: 'helpers/guest/cgroups.ts',
    cpus: 1,
    options: ['-icount', `shift=${ICOUNT_SHIFT},sleep=off`],
    packages: PERF_PACKAGES,
    timeoutMs: 600_000,
  });
  t.diagnostic(JSON.stringify(results));
  type Pair = { readonly before: CgroupsSeen; readonly after: CgroupsSeen };
  type Beside = Readonly<Record<string, readonly [perf: number, own: number]>>;
  const { expected, sealed, separated, perf } = results as {
    expected: number;
    sealed: Pair;
    separated: Pair;
    perf: Readonly<Record<'sealed' | 'separated', Beside>>;
  };
  const counted = ({ before, after }: Pair, name: string, turns: number): void => {
    const rise = (family: 'cycles' | 'instructions'): number =>
      (after[family][name] ?? 0) - (before[family][name] ?? 0);
    near(rise('instructions'), turns, 0.02, `instructions of ${name}`);
    near(rise('cycles'), turns * CYCLES_PER_INSTRUCTION, 0.02, `cycles of ${name}`);
  };
  counted(sealed, '/a', expected);
  counted(sealed, '/b', expected / 2);
  counted(separated, '/c', expected);
  assert.deepEqual(separated.before.states, { counted: 3, late: 0, left_out: 0, refused: 0 });
  const rise = (event: string): number => (sealed.after.events[event] ?? 0) - (sealed.before.events[event] ?? 0);
  const programs = rise('instructions:u');
  near(rise('r8:u'), programs, 0.001, 'the raw number of the same event');
  near(rise('inst_retired:u'), programs, 0.001, 'the name of the same event');
  assert.ok(programs > 1.5 * expected, `the loops are programs: ${programs}`);
  assert.ok(rise('instructions:k') > 0 && rise('instructions:k') < programs, 'the kernel ran less');
  assert.ok(rise('cycles:u') >= programs);
  for (const mode of ['sealed', 'separated'] as const) {
    const pairs = Object.entries(perf[mode]);
    assert.equal(pairs.length, 8, 'four events for two cgroups');
    for (const [what, [theirs, own]] of pairs) near(own, theirs, 0.02, `${mode}, beside perf stat: ${what}`);
  }
});

test('a CPU that comes and goes', { skip }, async (t) => {
  const results = await runGuest({
    arch: 'arm64',
    scenario: 'helpers/guest/hotplug.ts',
    cpus: 2,
    append: 'maxcpus=1',
    timeoutMs: 840_000,
  });
  t.diagnostic(JSON.stringify(results));
  const { sealedNew, drop, quick, retained, rises, separated, separatedRises, exit } = results;
  const [one, both] = ['0 covered 0=1', '0,1 covered 0=1,1=1'];
  const lost = '0 covered 0=1,1=0';
  assert.deepEqual(sealedNew, [one, lost]);
  assert.deepEqual(drop, [both, one, lost]);
  assert.deepEqual(quick, [both, lost]);
  assert.deepEqual(retained, [both, one, both]);
  assert.equal(rises, true);
  assert.deepEqual(separated, [both, one, both]);
  assert.equal(separatedRises, true);
  const { cgroup, cpusOfCgroup, cgroupLog } = results as {
    cgroup: readonly (readonly [seconds: number, counted: number])[];
    cpusOfCgroup: number;
    cgroupLog: string;
  };
  const sums = cgroup.map(([seconds]) => seconds);
  assert.deepEqual(
    cgroup.map(([, counted]) => counted),
    [1, 1, 1],
    cgroupLog,
  );
  assert.ok(
    sums.every((sum, i) => sum >= (sums[i - 1] ?? 0)),
    `the sum of a cgroup goes on: ${sums}`,
  );
  assert.ok(cpusOfCgroup > 1.2, `both CPUs count for the cgroup: ${cpusOfCgroup}`);
  const { gone, status, log } = exit as { gone: string; status: number; log: string };
  assert.equal(gone, one);
  assert.equal(status, 75);
  assert.match(log, /Ending, to be started again.*CPUs came online whose counters a sealed process cannot open: 1/);
});
