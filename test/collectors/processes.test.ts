import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import processes, { parseTaskStat } from '../../src/collectors/processes.ts';
import { ParseError } from '../../src/core/errors.ts';
import type { Tree } from '../../src/core/host.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const statOf = (pid: number, name: string, state: string, threads: number): string =>
  `${pid} (${name}) ${state} 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 ${threads} 0 412 0 0 18446744073709551615 0 0\n`;

test('parseTaskStat reads state and threads past any name', () => {
  const printable = fc.string({ unit: 'binary', maxLength: 16 });
  fc.assert(
    fc.property(
      printable,
      fc.constantFrom(...'RSDTtZXIP'),
      fc.integer({ min: 1, max: 1e6 }),
      (name, state, threads) => {
        assert.deepEqual(parseTaskStat(statOf(5, name, state, threads)), { state, threads });
      },
    ),
  );
});

for (const [why, text] of [
  ['an empty file', ''],
  ['a file without a name', '5 S 1 1'],
  ['a truncated file', '5 (sh) S 1 1 1 0 -1'],
  ['a state that is none', statOf(5, 'sh', '', 1)],
  ['threads that are no number', statOf(5, 'sh', 'S', 1).replace(' 20 0 1 ', ' 20 0 x ')],
] as const)
  test(`parseTaskStat refuses ${why}`, () => assert.throws(() => parseTaskStat(text), ParseError));

test('processes: the fixtures scrape to the golden text', (t) => golden(t, processes));

const LIMITS = { 'proc/sys/kernel/threads-max': '10\n', 'proc/sys/kernel/pid_max': '20\n' };

test('processes passes over those that end meanwhile', async (t) => {
  const root = tree(t, {
    ...LIMITS,
    'proc/7/stat': statOf(7, 'a', 'S', 3),
    'proc/7/task/7/stat': statOf(7, 'a', 'R', 3),
    'proc/7/task/8/stat': statOf(8, 'a', 'D', 3),
    'proc/7/task/9/cmdline': '',
    'proc/10/cmdline': '',
    'proc/11/stat': statOf(11, 'b', 'S', 1),
  });
  const ending = (fs: Tree): Tree => ({
    ...fs,
    readOnce(path) {
      if (path === '7/task/8/stat') throw Object.assign(new Error('ESRCH: no such process'), { code: 'ESRCH' });
      return fs.readOnce(path);
    },
  });
  const { text, success } = await scrape(processes, { root, wrap: ending });
  assert.equal(success, true);
  assert.deepEqual(text.match(/^node.*$/gm), [
    'node_processes_max_processes 20',
    'node_processes_max_threads 10',
    'node_processes_pids 2',
    'node_processes_state{state="S"} 2',
    'node_processes_threads 4',
    'node_processes_threads_state{thread_state="S"} 1',
  ]);
});

test('processes fails where the kernel does not let it look', async (t) => {
  const root = tree(t, { ...LIMITS, 'proc/7/stat': statOf(7, 'a', 'S', 1) });
  const refusing = (fs: Tree): Tree => ({
    ...fs,
    readOnce() {
      throw Object.assign(new Error('EACCES: permission denied'), { code: 'EACCES' });
    },
  });
  const { text, success } = await scrape(processes, { root, wrap: refusing });
  assert.deepEqual([text, success], ['', false]);
});

test('processes counts thousands', async (t) => {
  const many = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`proc/${i + 1}/stat`, statOf(i + 1, 'a', i % 2 === 0 ? 'S' : 'R', 1)]),
  );
  const { text } = await scrape(processes, { root: tree(t, { ...LIMITS, ...many }) });
  assert.match(text, /^node_processes_pids 3000$/m);
  assert.match(text, /^node_processes_state\{state="R"\} 1500$/m);
});

for (const name of ['threads-max', 'pid_max'])
  test(`processes fails without ${name}`, async (t) => {
    const { [`proc/sys/kernel/${name}`]: _, ...files } = LIMITS as Record<string, string>;
    assert.equal((await scrape(processes, { root: tree(t, files) })).success, false);
  });
