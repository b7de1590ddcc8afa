import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { errnoOf } from '../../src/core/errors.ts';
import {
  enableGroup,
  eventId,
  NO_GROUP,
  openEvent,
  perfEventAttrLayout,
  readGroup,
} from '../../src/perf/perf_event.ts';
import { GROUP_EVENTS_MAX } from '../../src/perf/planned.ts';

const SOFTWARE = 1;
const CPU_CLOCK = { type: SOFTWARE, config: 0n };
const CONTEXT_SWITCHES = { type: SOFTWARE, config: 3n };

test('struct perf_event_attr has the size PERF_ATTR_SIZE_VER1', () => {
  assert.equal(perfEventAttrLayout.sizeBytes, 72);
  assert.equal(perfEventAttrLayout.offsets.config2, 64);
  assert.equal(perfEventAttrLayout.offsets.flags, 40);
});

/** Counting a whole CPU is a privilege; where it is refused there is nothing to test. */
function opened(t: TestContext): [number, number] | undefined {
  try {
    const leader = openEvent(CPU_CLOCK, 0, NO_GROUP);
    const member = openEvent(CONTEXT_SWITCHES, 0, leader);
    t.after(() => {
      closeSync(member);
      closeSync(leader);
    });
    return [leader, member];
  } catch (error) {
    t.skip(`perf_event_open: ${errnoOf(error)}`);
    return undefined;
  }
}

test('a group is stopped until it is enabled, and is read at once', (t) => {
  const group = opened(t);
  if (group === undefined) return;
  const [leader, member] = group;
  const ids = [eventId(leader), eventId(member)];
  const stopped = readGroup(leader);
  assert.deepEqual(
    stopped.members.map(({ id }) => id),
    ids,
  );
  assert.equal(stopped.members[0]?.value, 0n);
  enableGroup(leader);
  const first = readGroup(leader);
  const second = readGroup(leader);
  assert.ok(second.enabledNs > first.enabledNs);
  assert.ok(second.runningNs <= second.enabledNs);
  assert.ok((second.members[0]?.value ?? 0n) > 0n);
});

test('the largest group is read whole', (t) => {
  const group = opened(t);
  if (group === undefined) return;
  const [leader] = group;
  const more = Array.from({ length: GROUP_EVENTS_MAX - 2 }, () => openEvent(CONTEXT_SWITCHES, 0, leader));
  t.after(() => {
    for (const fd of more) closeSync(fd);
  });
  enableGroup(leader);
  assert.equal(readGroup(leader).members.length, GROUP_EVENTS_MAX);
});

test('what is no event is told apart', (t) => {
  const fd = openSync('/dev/null', 'r');
  t.after(() => closeSync(fd));
  assert.throws(() => eventId(fd), { code: 'ENOTTY', syscall: 'ioctl' });
  assert.throws(() => readGroup(fd), /read 0 bytes, which is no group/);
  // Who may not count CPUs at all is refused before the CPU is looked for.
  assert.throws(
    () => openEvent(CPU_CLOCK, 1 << 20, NO_GROUP),
    (error) => ['EINVAL', 'ENODEV', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? ''),
  );
});
