import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { test } from 'node:test';
import { countEvents, isFirstUserNamespace, openUevents } from '../../src/netlink/uevents.ts';
import { loudly } from '../helpers/debian.ts';

type Answer = 'event' | keyof typeof constants.errno;

/** Answers of a socket, one after the other: an event, or an errno; EAGAIN when they are over. */
function socketOf(...answers: readonly Answer[]) {
  const left = [...answers];
  let asked = 0;
  const count = countEvents((into) => {
    asked += 1;
    assert.ok(into.length > 0, 'an event of no bytes looks like none');
    const answer: Answer = left.shift() ?? 'EAGAIN';
    if (answer === 'event') return 1;
    return -constants.errno[answer];
  });
  return { count, left, asked: () => asked, add: (...more: readonly Answer[]) => left.push(...more) };
}

test('as long as nothing happens the number stays', () => {
  const { count } = socketOf();
  assert.deepEqual([count(), count()], [0, 0]);
});

test('events are counted on, those of one look at once', () => {
  const { count, add } = socketOf('event', 'event');
  assert.deepEqual([count(), count()], [2, 2]);
  add('event');
  assert.deepEqual([count(), count()], [3, 3]);
});

test('events that the socket could not hold are one more, and those after them are taken', () => {
  for (const errno of ['ENOBUFS', 'EINTR'] as const) {
    const { count, left } = socketOf('event', errno, 'event');
    assert.equal(count(), 3);
    assert.deepEqual(left, []);
  }
});

test('a socket that fails has another number at every look, and is asked once in each', () => {
  const { count, asked } = socketOf('EBADF', 'EBADF', 'EBADF');
  assert.deepEqual([count(), count(), count(), asked()], [1, 2, 3, 3]);
});

test('a look ends, however many events there are; the next takes the others', () => {
  const { count, left } = socketOf(...Array.from({ length: 300 }, (): Answer => 'event'));
  assert.equal(count(), 256);
  assert.equal(left.length, 44);
  assert.deepEqual([count(), count()], [300, 300]);
});

test('a storm of faults ends a look as well', () => {
  const { count } = socketOf(...Array.from({ length: 300 }, (): Answer => 'ENOBUFS'));
  assert.equal(count(), 256);
});

for (const [what, map, expected] of [
  ['the first', '         0          0 4294967295\n', true],
  ['root of a user without privileges', '         0       1000          1\n', false],
  ['one of a range', '         0     100000      65536\n', false],
  ['one that leaves out the last', '         0          0 4294967294\n', false],
  ['one of two ranges', '         0          0       1000\n      1000     100000      65536\n', false],
  ['one that nobody is in yet', '', false],
] as const)
  test(`which user namespace it is: ${what}`, () => assert.equal(isFirstUserNamespace(map), expected));

const FIRST = '/proc/self/uid_map';
/** Writing there makes the kernel tell of this device again: Documentation/ABI/testing/sysfs-uevent. */
const DEVICE = '/sys/class/mem/null/uevent';

const listen = openUevents();
const refused = loudly(listen === undefined && 'the kernel refuses a socket of its device events');

test('nothing has happened on a socket that was just opened, or it is counted', { skip: refused }, () => {
  const first = listen?.() as number;
  assert.ok(Number.isSafeInteger(first) && first >= 0 && first < 256, `${first}`);
});

function canTrigger(): boolean {
  if (listen === undefined || !isFirstUserNamespace(readFileSync(FIRST, 'latin1')) || !existsSync(DEVICE)) return false;
  try {
    writeFileSync(DEVICE, 'change');
    return true;
  } catch {
    return false;
  }
}

const untold = refused || loudly(!canTrigger() && 'no device can be made to report itself here');

test('a device that changes is an event', { skip: untold }, () => {
  const before = listen?.() as number;
  writeFileSync(DEVICE, 'change');
  assert.ok((listen?.() as number) > before);
});
