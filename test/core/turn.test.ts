import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError } from '../../src/core/errors.ts';
import { createDeadline, createPace, createTurn, notDone } from '../../src/core/turn.ts';

/** A clock that is set by hand, in milliseconds. */
function handClock() {
  let now = 1000;
  return {
    now: () => now,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('a pace asks for a pause after 10 ms of work, and not before', async () => {
  const clock = handClock();
  const pace = createPace(clock.now);
  pace.begin();
  clock.pass(9);
  assert.equal(pace(), undefined);
  clock.pass(1);
  const wait = pace();
  assert.ok(wait instanceof Promise);
  assert.equal(pace(), wait, 'everybody waits for the same pause');
  let others = false;
  setImmediate(() => {
    others = true;
  });
  await wait;
  // Set before the pause ends or right behind it.
  await new Promise(setImmediate);
  assert.ok(others);
  assert.equal(pace(), undefined, 'a slice begins with the end of the pause');
  clock.pass(10);
  assert.ok(pace() instanceof Promise);
});

test('work that begins after a pause of others has a slice of its own, and takes none from those at work', () => {
  const clock = handClock();
  const pace = createPace(clock.now);
  pace.begin();
  clock.pass(500);
  pace.begin();
  assert.equal(pace(), undefined);
  clock.pass(9);
  pace.begin();
  clock.pass(9);
  assert.equal(pace(), undefined);
});

test('beginning while somebody waits does not shorten the pause', async () => {
  const clock = handClock();
  const pace = createPace(clock.now);
  const wait = pace();
  assert.ok(wait instanceof Promise);
  pace.begin();
  assert.equal(pace(), wait);
  await wait;
});

test('a turn ends when its time is over: it is thrown, and the signal is aborted with the reason', () => {
  const clock = handClock();
  const turn = createTurn(100, clock.now, createPace(clock.now));
  turn.begin(clock.now());
  const { signal } = turn;
  assert.equal(signal.aborted, false);
  clock.pass(100);
  assert.throws(() => turn.pause(), DeadlineError);
  const lateness = notDone(100);
  turn.end(lateness);
  assert.equal(signal.reason, lateness);
  assert.equal(turn.signal, signal);
});

test('who asks for the signal after the end finds it aborted; the next run has one of its own', () => {
  const clock = handClock();
  const turn = createTurn(100, clock.now, createPace(clock.now));
  turn.begin(clock.now());
  turn.end(notDone(100));
  const { signal } = turn;
  assert.equal(signal.aborted, true);
  turn.begin(clock.now());
  assert.equal(turn.signal.aborted, false);
  assert.equal(signal.aborted, true);
});

test('a deadline that nobody waits for has no timer, and one that was cleared never passes', async () => {
  const resources = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  const before = resources();
  const deadline = createDeadline(5);
  assert.equal(resources(), before);
  const passed = deadline.passed();
  assert.equal(deadline.passed(), passed);
  assert.equal(resources(), before + 1);
  deadline.clear();
  assert.equal(resources(), before);
  const late = await createDeadline(5).passed();
  assert.match(late.message, /not done after 0\.005 s/);
});
