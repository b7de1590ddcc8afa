import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Access, explain } from '../../src/perf/access.ts';
import { describeGroups, type PerfFacts, sentence, verdictOf, verdictsOf } from '../../src/perf/facts.ts';
import type { OpenGroup, Unopened } from '../../src/perf/open.ts';
import type { Batch, PerfKind } from '../../src/perf/planned.ts';

const group = (pmu: string, cpu: number, index: number, moves: boolean, ...names: readonly string[]): OpenGroup => {
  const events = names.map((name) => ({ name, type: 0, config: 1n }));
  const batch: Batch = { kind: 'event', pmu, cpus: [cpu], events, moves };
  return {
    batch,
    cpu,
    index,
    events: events.map((event, i) => ({ event, fd: cpu * 100 + index * 10 + i, id: 7 + i })),
  };
};

test('only what moves has the place of its package, and only what was there before repeats', () => {
  const groups = [
    group('cpu', 0, 0, false, 'a', 'b'),
    group('cpu', 0, 1, false, 'b', 'c'),
    group('cpu', 1, 0, false, 'b'),
    group('power', 0, 0, true, 'b'),
  ];
  const { held, groups: described } = describeGroups(groups, (cpu) => ({ package: `p${cpu}`, die: '0' }));
  assert.deepEqual(
    described.map(({ place, members }) => [
      place?.package,
      members.map(({ name, repeats }) => `${name}${repeats ?? ''}`).join(),
    ]),
    [
      [undefined, 'a,b'],
      [undefined, 'btrue,c'],
      [undefined, 'b'],
      ['p0', 'b'],
    ],
  );
  assert.deepEqual(
    held.map(({ key, fd }) => [key, fd]),
    [
      ['event/cpu/0/0/0', 0],
      ['event/cpu/0/0/1', 1],
      ['event/cpu/0/1/0', 10],
      ['event/cpu/0/1/1', 11],
      ['event/cpu/1/0/0', 100],
      ['event/power/0/0/0', 0],
    ],
  );
  assert.deepEqual(JSON.parse(JSON.stringify(described)), described, 'plain JSON');
});

/** An unprivileged process on bare metal. */
const access: Access = {
  ...{ effective: 0n, bounding: 0n, noNewPrivs: false, seccomp: 0, userNamespace: false },
  ...{ paranoid: 2, release: '6.12.0', isPatched: false, hasCorePmu: true, filesMax: 1024 },
};

const refused = (kind: PerfKind, errno: string, lacks: boolean): Unopened => ({
  ...{ kind, pmu: 'cpu', event: 'e', errno, lacks },
  cpus: [0],
});

const facts = (some: Partial<PerfFacts>): PerfFacts => ({
  ...{ cpus: [0], groups: [], cgroups: [], refusedCgroups: [], unopened: [], missing: [] },
  verdicts: verdictsOf(some.unopened ?? [], access),
  ...some,
});
const missing = (kind: PerfKind) => ({ kind, pmu: 'cpu', event: 'open', why: 'no such file' });

test('each errno is judged once', () => {
  const unopened = [
    refused('hardware', 'EBUSY', false),
    refused('cache', 'ENOENT', true),
    refused('event', 'EBUSY', false),
  ];
  assert.deepEqual(verdictsOf(unopened, access), {
    EBUSY: explain('EBUSY', access),
    ENOENT: explain('ENOENT', access),
  });
  assert.deepEqual(verdictsOf([], access), {});
});

for (const [what, some, kind, reason] of [
  ['nothing was tried', {}, 'hardware', 'cpu_offline'],
  ['it was refused', { unopened: [refused('hardware', 'EBUSY', false)] }, 'hardware', 'busy'],
  ['the PMU lacks it', { unopened: [refused('hardware', 'ENOENT', true)] }, 'hardware', 'no_event'],
  [
    'some is lacking, some refused',
    { unopened: [refused('cache', 'ENOENT', true), refused('cache', 'EMFILE', false)] },
    'cache',
    'files_limit',
  ],
  ['another kind was refused', { unopened: [refused('cache', 'EBUSY', false)] }, 'hardware', 'cpu_offline'],
  ['nobody judged it', { unopened: [refused('cache', 'EBUSY', false)], verdicts: {} }, 'cache', 'cpu_offline'],
  ['there is no such cgroup', {}, 'cgroup', 'no_cgroup'],
  ['there is none, and no CPU either', { cpus: [] }, 'cgroup', 'cpu_offline'],
  ['a tracepoint was not found', { missing: [missing('tracepoint')] }, 'tracepoint', 'no_tracefs'],
  ['an event was not found', { missing: [missing('event')] }, 'event', 'no_event'],
  ['an event of another kind was not found', { missing: [missing('event')] }, 'topdown', 'cpu_offline'],
  [
    'one was refused, another not found',
    { missing: [missing('event')], unopened: [refused('event', 'EBUSY', false)] },
    'event',
    'busy',
  ],
] as const)
  test(`why there are no counters of a kind: ${what}`, () => assert.equal(verdictOf(facts(some), kind).reason, reason));

test('what was not found is told by its name', () =>
  assert.equal(sentence(verdictOf(facts({ missing: [missing('event')] }), 'event')), 'open: no such file'));

test('a remedy follows why it is needed', () => {
  const busy = facts({ unopened: [refused('event', 'EBUSY', false)] });
  assert.match(sentence(verdictOf(busy, 'event')), /^somebody else holds the counters\. Remedy: end what else counts/);
});
