import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alone, eachOf } from '../../src/core/each.ts';
import { DeadlineError, ParseError } from '../../src/core/errors.ts';
import type { Turn } from '../../src/core/host.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { Samples } from '../../src/core/samples.ts';

const { signal } = new AbortController();

/** A turn with a pause after every so many things. */
function turnOf(every: number): Turn & { readonly pauses: () => number } {
  let asked = 0;
  let pauses = 0;
  return {
    signal,
    leftMs: () => 1000,
    pause() {
      asked += 1;
      if (asked % every !== 0) return undefined;
      pauses += 1;
      return new Promise((resolve) => setImmediate(resolve));
    },
    pauses: () => pauses,
  };
}

const refusal = (code: string): Error => Object.assign(new Error(code), { code });

test('what fails of one thing is a fault of that thing, and the others are told', () => {
  const out = new Samples();
  out.begin();
  const faults = [new ParseError('f', 'b'), refusal('EIO')];
  const told: string[] = [];
  const write = alone(out, (thing: string) => {
    told.push(thing);
    const fault = faults[Number(thing)];
    if (fault !== undefined) throw fault;
  });
  assert.equal(eachOf(['0', '1', '2'], turnOf(100), write), undefined);
  assert.deepEqual(told, ['0', '1', '2']);
  assert.deepEqual(out.faults, faults);
});

for (const [what, error] of [
  ['a bug of ours', new TypeError('bug')],
  ['an error of Node', refusal('ERR_INVALID_ARG_TYPE')],
  ['that there is no answer yet', new NotYet('/f', Promise.resolve(), () => {})],
] as const)
  test(`${what} is not the fault of one thing`, () => {
    const out = new Samples();
    out.begin();
    const write = alone(out, () => {
      throw error;
    });
    assert.throws(() => write('x'), error);
    assert.deepEqual(out.faults, []);
  });

for (const [every, pauses] of [
  [1, 5],
  [2, 2],
  [4, 1],
] as const)
  test(`things are told in order and once, with a pause after every ${every}`, async () => {
    const told: number[] = [];
    const turn = turnOf(every);
    const work = eachOf([1, 2, 3, 4, 5], turn, (thing) => void told.push(thing));
    assert.ok(work instanceof Promise);
    assert.deepEqual(told, [1, 2, 3, 4, 5].slice(0, every), 'others have their turn first');
    await work;
    assert.deepEqual(told, [1, 2, 3, 4, 5]);
    assert.equal(turn.pauses(), pauses);
  });

test('of the last thing nobody waits, and of none', () => {
  const told: number[] = [];
  assert.equal(
    eachOf([1], turnOf(1), (thing) => void told.push(thing)),
    undefined,
  );
  assert.equal(
    eachOf([], turnOf(1), (thing) => void told.push(thing)),
    undefined,
  );
  assert.deepEqual(told, [1]);
});

test('what one thing throws after a pause ends the rest, and so does the end of the time', async () => {
  const told: number[] = [];
  const write = (thing: number): void => {
    told.push(thing);
    if (thing === 2) throw new ParseError('f', 'two');
  };
  await assert.rejects(async () => eachOf([1, 2, 3], turnOf(1), write), ParseError);
  assert.deepEqual(told, [1, 2]);
  let asked = 0;
  const ending: Turn = {
    signal,
    leftMs: () => 0,
    pause() {
      asked += 1;
      if (asked === 1) return Promise.resolve();
      throw new DeadlineError('over');
    },
  };
  told.length = 0;
  await assert.rejects(async () => eachOf([1, 3, 4], ending, write), DeadlineError);
  assert.deepEqual(told, [1, 3]);
});
