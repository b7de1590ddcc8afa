import assert from 'node:assert/strict';
import { test } from 'node:test';
import processes from '../../src/collectors/processes.ts';
import { ParseError } from '../../src/core/errors.ts';
import { alteredDisk, refusal, refusingDisk } from '../helpers/disk.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const statOf = (pid: number, name: string, state: string, threads: number): string =>
  `${pid} (${name}) ${state} 1 1 1 0 -1 4194560 1 0 0 0 1 1 0 0 20 0 ${threads} 0 412 0 0 18446744073709551615 0 0\n`;

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
  const { text, success } = await scrape(processes, { root, disk: refusingDisk('ESRCH', '/7/task/8/stat') });
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

for (const code of ['EACCES', 'EPERM'])
  test(`processes that answer ${code} are not counted, and success says so`, async (t) => {
    const root = tree(t, {
      ...LIMITS,
      ...Object.fromEntries([7, 8, 9].map((pid) => [`proc/${pid}/stat`, statOf(pid, 'a', 'S', 1)])),
    });
    const disk = alteredDisk({
      bytes(path, real) {
        if (/\/[78]\/stat$/.test(path)) throw refusal(code, path);
        return real;
      },
    });
    const { text, success, error, faultsTotal } = await prepared(processes, { root, disk })();
    assert.equal(success, false);
    assert.match(text, /^node_processes_pids 1$/m);
    assert.match(text, /^node_processes_max_processes /m);
    assert.match(String(error), new RegExp(code));
    assert.equal(faultsTotal, 1);
  });

test('a process that is odd costs itself alone', async (t) => {
  const root = tree(t, { ...LIMITS, 'proc/7/stat': '7 (a) S 1\n', 'proc/8/stat': statOf(8, 'b', 'R', 1) });
  const { text, error } = await scrape(processes, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /^node_processes_pids 1$/m);
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
    const { text, success } = await scrape(processes, { root: tree(t, files) });
    assert.equal(success, false);
    assert.match(text, /^node_processes_pids 0$/m);
  });
