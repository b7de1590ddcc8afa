import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Tree } from '../../src/core/host.ts';
import { parseTracefsMounts, readTracepointId, type TracepointId } from '../../src/perf/tracefs.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

const MOUNTS = `proc /proc proc rw 0 0
tracefs /sys/kernel/debug/tracing tracefs rw,nosuid 0 0
none /mnt/my\\040trace tracefs rw 0 0
tracefs /sys/kernel/tracing tracefs rw 0 0
`;

test('parseTracefsMounts puts the usual place first and reads octal escapes', () =>
  assert.deepEqual(parseTracefsMounts(MOUNTS), ['/sys/kernel/tracing', '/sys/kernel/debug/tracing', '/mnt/my trace']));

/** Reads below `root`; `refusal` is what every file of tracefs answers. */
function read(root: string, event: string, refusal?: string): TracepointId {
  const openPoint = (path: string): Tree => {
    const own = openTree(`${root}${path}`);
    const readOnce = (): never => {
      throw Object.assign(new Error('refused'), { code: refusal });
    };
    return refusal === undefined ? own : { ...own, readOnce };
  };
  return readTracepointId(openTree(`${root}/proc`), openPoint, 'sched', event);
}

test('the id comes from the first mount that has it', (t) => {
  const root = tree(t, {
    'proc/mounts': MOUNTS,
    'sys/kernel/debug/tracing/events/sched/sched_switch/id': '314\n',
  });
  assert.deepEqual(read(root, 'sched_switch'), { id: 314 });
});

for (const [why, files, refusal, expected] of [
  ['no tracefs', { 'proc/mounts': 'proc /proc proc rw 0 0\n' }, undefined, /^tracefs is not mounted: mount -t tracefs/],
  ['no /proc/mounts', { 'proc/x': '' }, undefined, /^tracefs is not mounted/],
  ['an unreadable one', { 'proc/mounts': MOUNTS }, 'EACCES', /not readable: mount -o remount,mode=755 .*sched:x=<id>/],
  ['an unknown tracepoint', { 'proc/mounts': MOUNTS }, undefined, /this kernel has no tracepoint sched:x/],
  [
    'no number in it',
    { 'proc/mounts': 'a /t tracefs rw 0 0\n', 't/events/sched/x/id': 'x\n' },
    undefined,
    /events\/sched\/x\/id holds no number/,
  ],
] as const)
  test(`${why}: says what to do`, (t) => {
    const { id, why: told } = read(tree(t, files), 'x', refusal);
    assert.equal(id, undefined);
    assert.match(told ?? '', expected);
  });
