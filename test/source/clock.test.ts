import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createClock, LOOK_MS } from '../../src/source/clock.ts';

const PARTS = 75;
const parts = Array.from({ length: PARTS }, (_, part) => part);

function fixture() {
  const state = { time: 0, events: 0 };
  const clock = createClock({ now: () => state.time, events: () => state.events });
  const looksAt = (time: number): number[] => {
    state.time = time;
    clock.begin();
    return parts.map((part) => clock.lookOf(part));
  };
  return { clock, state, looksAt };
}

test('each part looks once a minute, and no second has more than its share', () => {
  const { looksAt } = fixture();
  let before = looksAt(0);
  const counts = parts.map(() => 0);
  for (let time = 1000; time <= LOOK_MS; time += 1000) {
    const looks = looksAt(time);
    const grown = parts.filter((part) => (looks[part] as number) > (before[part] as number));
    assert.ok(grown.length <= Math.ceil(PARTS / 60), `${grown.length} at ${time}`);
    for (const part of grown) counts[part] = (counts[part] as number) + 1;
    before = looks;
  }
  assert.deepEqual(
    counts,
    counts.map(() => 1),
  );
});

test('parts whose scrapes are a minute apart look at each', () => {
  const { looksAt } = fixture();
  const before = looksAt(123);
  const after = looksAt(123 + LOOK_MS);
  for (const part of parts) assert.ok((after[part] as number) > (before[part] as number), `part ${part}`);
});

test('what the kernel reports makes all look at once', () => {
  const { looksAt, state } = fixture();
  const before = looksAt(7000);
  state.events += 1;
  const after = looksAt(7000);
  for (const part of parts) assert.ok((after[part] as number) > (before[part] as number), `part ${part}`);
  assert.deepEqual(looksAt(7000), after);
});

test('a scrape begins with the look of its own part', () => {
  const { clock, looksAt } = fixture();
  looksAt(30_000);
  clock.turnTo(31);
  looksAt(31_500);
  assert.equal(clock.look, clock.lookOf(0));
});

test('whatever several parts read is looked at again within a minute', () => {
  const steps = fc.array(
    fc.record({
      restMs: fc.integer({ min: 0, max: 20_000 }),
      part: fc.integer({ min: 0, max: PARTS - 1 }),
      isEvent: fc.boolean(),
    }),
    { minLength: 20, maxLength: 200 },
  );
  fc.assert(
    fc.property(steps, (all) => {
      const { clock, state, looksAt } = fixture();
      let seen = 0;
      let seenAt = 0;
      for (const { restMs, part, isEvent } of all) {
        if (isEvent) state.events += 1;
        looksAt(state.time + restMs);
        clock.turnTo(part);
        const isLook = clock.look > seen;
        assert.ok(isLook || (!isEvent && state.time - seenAt < LOOK_MS), `${state.time - seenAt} ms`);
        if (isLook) [seen, seenAt] = [clock.look, state.time];
      }
    }),
  );
});
