import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openBatches, type PerfKernel } from '../../src/perf/open.ts';
import { type Batch, GROUP_EVENTS_MAX, type PlannedEvent } from '../../src/perf/planned.ts';

interface Counters {
  /** How many events of one group the PMU takes. */
  readonly room: number;
  /** How many of them somebody else holds for good: the kernel takes the group and never runs it. */
  readonly held?: number;
  /** What opening an event answers instead, by its name, by `name/config` or by `cpu<n>`. */
  readonly refuse?: Readonly<Record<string, string>>;
}

/** A kernel with a PMU, as far as opening goes. */
function machine({ room, held = 0, refuse = {} }: Counters) {
  const open = new Set<number>();
  const sizes = new Map<number, number>();
  let nextFd = 10;
  const fail = (code: string): never => {
    throw Object.assign(new Error(code), { code });
  };
  const kernel: PerfKernel = {
    privileges: () => ({ effective: 0n, bounding: 0n, noNewPrivs: undefined, seccomp: undefined }),
    open({ name, config }, { cpu }, leaderFd) {
      const refusal = refuse[name] ?? refuse[`${name}/${config}`] ?? refuse[`cpu${cpu}`];
      if (refusal !== undefined) fail(refusal);
      const size = leaderFd === undefined ? 0 : (sizes.get(leaderFd) as number);
      if (size + 1 > room) fail('EINVAL');
      const fd = nextFd++;
      sizes.set(leaderFd ?? fd, size + 1);
      open.add(fd);
      return fd;
    },
    id: (fd) => BigInt(fd + 1000),
    enable() {},
    runningNs: (fd) => ((sizes.get(fd) as number) + held <= room ? 5n : 0n),
    close(fd) {
      assert.ok(open.delete(fd), 'closes only what is open');
    },
    sleep() {},
  };
  return { kernel, open };
}

const event = (name: string): PlannedEvent => ({ name, type: 0, config: 1n, excludeHv: true });
const batch = (names: string, cpus: readonly number[] = [0]): Batch => ({
  kind: 'hardware',
  pmu: 'cpu',
  cpus,
  events: [...names].map(event),
  moves: false,
});

const LIMIT = 1e6;

const shapes = (counters: Counters, each: Batch, fdMax = LIMIT): string[] =>
  openBatches([each], machine(counters).kernel, fdMax).groups.map(
    ({ cpu, index, events }) => `${cpu}.${index}:${events.map((member) => member.event.name).join('')}`,
  );

test('everything that fits is one group for each CPU', () =>
  assert.deepEqual(shapes({ room: 8 }, batch('cifgh', [0, 3])), ['0.0:cifgh', '3.0:cifgh']));

test('a group that would be too large goes on in the next', () =>
  assert.deepEqual(shapes({ room: 2 }, batch('cifgh', [0, 1])), [
    '0.0:ci',
    '0.1:fg',
    '0.2:h',
    '1.0:ci',
    '1.1:fg',
    '1.2:h',
  ]));

test('a group that cannot be read at once goes on in the next, though the PMU takes it', () =>
  assert.deepEqual(
    shapes({ room: 1000 }, batch('t'.repeat(GROUP_EVENTS_MAX + 2))).map((shape) => shape.length - '0.0:'.length),
    [GROUP_EVENTS_MAX, 2],
  ));

test('an event that the PMU lacks is left out and told, for all CPUs', () => {
  const { kernel } = machine({ room: 8, refuse: { f: 'ENOENT', h: 'ENOTSUP' } });
  const { groups, unopened } = openBatches([batch('cfih', [0, 1])], kernel, LIMIT);
  assert.deepEqual(
    groups.map(({ events }) => events.map((member) => member.event.name).join('')),
    ['ci', 'ci'],
  );
  assert.deepEqual(unopened, [
    { kind: 'hardware', pmu: 'cpu', event: 'f', errno: 'ENOENT', lacks: true, cpus: [0, 1] },
    { kind: 'hardware', pmu: 'cpu', event: 'h', errno: 'ENOTSUP', lacks: true, cpus: [0, 1] },
  ]);
});

test('a group that is taken and never runs is split, cycles and instructions last', () => {
  assert.deepEqual(shapes({ room: 4, held: 1 }, batch('cifg')), ['0.0:ci', '0.1:fg']);
  assert.deepEqual(shapes({ room: 4, held: 2 }, batch('cifgh')), ['0.0:ci', '0.1:fg', '0.2:h']);
  assert.deepEqual(shapes({ room: 2, held: 1 }, batch('ci')), ['0.0:c', '0.1:i']);
});

test('where no counter is free at all, the groups stay, each with one event', () =>
  assert.deepEqual(shapes({ room: 2, held: 2 }, batch('cif')), ['0.0:c', '0.1:i', '0.2:f']));

const told = (unopened: ReturnType<typeof openBatches>['unopened']): string[] =>
  unopened.map(({ event: name, errno, cpus }) => `${name} ${errno} ${cpus}`);

test('a CPU that is offline is told, and the next is tried', () => {
  const { kernel } = machine({ room: 4, refuse: { cpu1: 'ENODEV' } });
  const { groups, unopened } = openBatches([batch('ci', [0, 1, 2])], kernel, LIMIT);
  assert.equal(groups.map(({ cpu }) => cpu).join(), '0,2');
  assert.deepEqual(told(unopened), ['c ENODEV 1', 'i ENODEV 1']);
});

test('the kernel that does not take the number of the PMU is asked without it', () => {
  const { kernel } = machine({ room: 4, refuse: { 'c/77': 'ENOENT' } });
  const hybrid = { ...batch('c'), events: [{ ...event('c'), config: 77n, plainConfig: 0n }] };
  assert.equal(openBatches([hybrid], kernel, LIMIT).groups.length, 1);
});

test('what another event source lacks is told as that, and not by the PMU of cores', () => {
  for (const [refusal, errno, lacks] of [
    ['EINVAL', 'NO_EVENT', true],
    ['ENOENT', 'NO_EVENT', true],
    ['EACCES', 'EACCES', false],
  ] as const) {
    const { kernel } = machine({ room: 4, refuse: { c: refusal } });
    const { unopened } = openBatches([{ ...batch('c'), isOther: true }, batch('c')], kernel, LIMIT);
    assert.deepEqual(
      unopened.map((each) => [each.errno, each.lacks]),
      [
        [errno, lacks],
        [refusal, lacks],
      ],
    );
  }
});

test('a group of another event source that has no room says so', () => {
  const { kernel } = machine({ room: 1 });
  const { unopened } = openBatches([{ ...batch('ci'), isOther: true, isWhole: true }], kernel, LIMIT);
  assert.deepEqual(told(unopened), ['c NO_ROOM 0', 'i NO_ROOM 0']);
});

test('descriptors beyond the limit are given back', () => {
  const { kernel, open } = machine({ room: 8 });
  const { groups, unopened } = openBatches([batch('cifg', [0, 1])], kernel, 16);
  assert.deepEqual(
    groups.map(({ events }) => events.length),
    [4, 2],
  );
  assert.deepEqual(told(unopened), ['f EMFILE 1', 'g EMFILE 1']);
  assert.equal(Math.max(...open), 15);
});

test('denied: every event is told once, with all CPUs', () => {
  const { kernel, open } = machine({ room: 8, refuse: { cpu0: 'EACCES', cpu1: 'EACCES' } });
  const { groups, unopened } = openBatches([batch('ci', [0, 1])], kernel, LIMIT);
  assert.equal(groups.length, 0);
  assert.deepEqual(told(unopened), ['c EACCES 0,1', 'i EACCES 0,1']);
  assert.equal(open.size, 0);
});

test('whatever the PMU, nothing leaks, and every event is in one group or told', () => {
  const small = fc.integer({ min: 0, max: 6 });
  fc.assert(
    fc.property(small, small, fc.integer({ min: 1, max: 12 }), (room, held, count) => {
      const { kernel, open } = machine({ room: room + 1, held, refuse: { d: 'ENOENT' } });
      const names = [...'cifghdjklmno'.slice(0, count)];
      const { groups, unopened } = openBatches([batch(names.join(''), [0, 1])], kernel, LIMIT);
      const members = groups.flatMap(({ cpu, events }) => events.map((member) => ({ cpu, ...member })));
      for (const cpu of [0, 1]) {
        const opened = members.filter((member) => member.cpu === cpu).map((member) => member.event.name);
        assert.deepEqual([...opened, ...unopened.map((each) => each.event)].sort(), names.toSorted());
      }
      assert.deepEqual(members.map(({ fd }) => fd).sort(), [...open].sort());
    }),
  );
});
