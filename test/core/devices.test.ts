import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Turn } from '../../src/core/collector.ts';
import { eachDevice, neededAttribute, neededUint, reading, uintAttribute } from '../../src/core/devices.ts';
import { DeadlineError, NoDataError, ParseError } from '../../src/core/errors.ts';
import { openTree } from '../../src/source/source.ts';
import { tree } from '../helpers/scrape.ts';

const turn: Turn = { signal: new AbortController().signal, pause: () => undefined, leftMs: () => 5000 };
const refusal = (code: string): Error => Object.assign(new Error(code), { code });

test('reading answers undefined where the driver has no value, and passes on what else goes wrong', () => {
  const failing = (code: string) => () => {
    throw refusal(code);
  };
  assert.equal(
    reading(() => '1'),
    '1',
  );
  assert.equal(reading(failing('ENODATA')), undefined);
  assert.equal(reading(failing('ENOENT')), undefined);
  assert.throws(() => reading(failing('EACCES')), { code: 'EACCES' });
});

test('eachDevice tells of all, and throws the first fault at the end', async () => {
  const told: string[] = [];
  const telling = eachDevice(['a', 'b', 'c'], turn, async (device) => {
    if (device !== 'c') throw refusal(device);
    told.push(device);
  });
  await assert.rejects(telling, { code: 'a' });
  assert.deepEqual(told, ['c']);
});

test('eachDevice ends when the time is over', async () => {
  const told: string[] = [];
  const late: Turn = {
    ...turn,
    pause() {
      if (told.length === 1) throw new DeadlineError('not done');
      return undefined;
    },
  };
  await assert.rejects(
    eachDevice(['a', 'b', 'c'], late, (device) => void told.push(device)),
    DeadlineError,
  );
  assert.deepEqual(told, ['a']);
});

test('a device whose own devices take too long ends it all', async () => {
  const telling = eachDevice(['a', 'b'], turn, (device) => {
    if (device === 'b') assert.fail('went on');
    throw new DeadlineError('not done');
  });
  await assert.rejects(telling, DeadlineError);
});

test('an attribute that is needed and not there means that there is nothing to tell of', (t) => {
  const sys = openTree(tree(t, { 'a/b': ' x\n' }));
  assert.equal(neededAttribute(sys, 'a/b'), 'x');
  assert.throws(() => neededAttribute(sys, 'a/c'), NoDataError);
});

test('a number may be absent, unless it is needed; what is no number is refused', (t) => {
  const sys = openTree(tree(t, { 'a/b': ' 42\n', 'a/word': 'many\n', 'a/empty': '\n' }));
  for (const read of [uintAttribute, neededUint]) {
    assert.equal(read(sys, 'a/b'), 42);
    assert.throws(() => read(sys, 'a/word'), ParseError);
    assert.throws(() => read(sys, 'a/empty'), ParseError);
  }
  assert.equal(uintAttribute(sys, 'a/c'), undefined);
  assert.throws(() => neededUint(sys, 'a/c'), NoDataError);
});
