import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError, NoDataError, ParseError } from '../../src/core/errors.ts';
import type { Collect } from '../../src/core/host.ts';
import { silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { createRunner } from '../../src/core/runner.ts';
import { createDeadline, createPace } from '../../src/core/turn.ts';
import { render } from '../helpers/render.ts';

const value = gauge('node_value', 'V.', 'by');
const writing =
  (by: string): Collect =>
  (out) =>
    out.sample(value, 1, by);

/** The time of the runs stands still unless `clock.nowMs` is moved. */
function runnerOf(parts: readonly Collect[], timeoutMs: number) {
  const clock = { nowMs: 0 };
  const now = (): number => clock.nowMs;
  const options = { timeoutMs, log: silent, clock: now, pace: createPace(now) };
  const runner = createRunner({ name: 'x', parts }, options);
  const run = async (): Promise<void> => {
    const deadline = createDeadline(60_000);
    await runner.run(deadline);
    deadline.clear();
  };
  const series = (): string[] => render([runner.samples]).text.match(/(?<=by=")\w+/g) ?? [];
  return { runner, clock, run, series };
}

/** A question that is answered when it is told to, and given up at most once. */
function question() {
  let answer = (): void => {};
  let isAnswered = false;
  let givenUp = 0;
  const answered = new Promise<void>((resolve) => {
    answer = () => {
      isAnswered = true;
      resolve();
    };
  });
  const giveUp = (): void => {
    givenUp += 1;
  };
  /** As a source does: no answer yet, or that nobody waits any more, or nothing. */
  const ask = (): void => {
    if (isAnswered) return;
    if (givenUp > 0) throw new DeadlineError('/f: no answer');
    throw new NotYet('/f', answered, giveUp);
  };
  return { ask, answer: () => answer(), givenUp: () => givenUp };
}

for (const how of ['throws', 'rejects'] as const)
  test(`a part that ${how} since there is no answer yet is run again, and shows what it wrote then`, async () => {
    const { ask, answer, givenUp } = question();
    let runs = 0;
    const asking: Collect = (out) => {
      runs += 1;
      out.sample(value, 1, runs === 1 ? 'early' : 'again');
      out.fault(new ParseError('f', `${runs}`));
      if (how === 'throws') return ask();
      return Promise.resolve().then(ask);
    };
    const { runner, run, series } = runnerOf([writing('a'), asking, writing('z')], 60_000);
    setImmediate(answer);
    await run();
    assert.deepEqual(series(), ['a', 'again', 'z']);
    assert.deepEqual([runs, givenUp(), runner.isLate], [2, 0, false]);
    assert.deepEqual([runner.faultsTotal, String(runner.error)], [1, 'ParseError: f: cannot parse "2"']);
  });

test('parts before and after are run once, however often one is run again', async () => {
  const questions = [question(), question(), question()];
  const order: string[] = [];
  const noting =
    (name: string): Collect =>
    () =>
      void order.push(name);
  const asking: Collect = () => {
    order.push('asks');
    for (const { ask, answer } of questions) {
      setImmediate(answer);
      ask();
    }
  };
  const { runner, run } = runnerOf([noting('before'), asking, noting('after')], 60_000);
  await run();
  assert.deepEqual(order, ['before', 'asks', 'asks', 'asks', 'asks', 'after']);
  assert.equal(runner.state, 'ok');
});

test('what a part before found is kept when another is run again', async () => {
  const { ask, answer } = question();
  const none: Collect = (out) => out.fault(new NoDataError('none'));
  const { runner, run } = runnerOf([none, ask], 60_000);
  setImmediate(answer);
  await run();
  assert.deepEqual([runner.state, runner.faultsTotal], ['no_data', 0]);
  assert.ok(runner.error instanceof NoDataError);
});

test('who has no answer shortly before the end is given up, and the other parts are shown', async () => {
  const { ask, givenUp } = question();
  const asking: Collect = (out) => {
    out.sample(value, 1, givenUp() === 0 ? 'early' : 'rest');
    ask();
  };
  const { runner, run, series } = runnerOf([writing('a'), asking, writing('z')], 20);
  await run();
  assert.deepEqual(series(), ['a', 'rest', 'z']);
  assert.equal(givenUp(), 1);
  assert.deepEqual(
    [runner.state, runner.isLate, String(runner.error)],
    ['failed', false, 'DeadlineError: /f: no answer'],
  );
});

test('who asks when the time is over is not waited for', async () => {
  const { ask, givenUp } = question();
  let runs = 0;
  const asking: Collect = (out) => {
    runs += 1;
    clock.nowMs += 2000;
    out.sample(value, 1, 'early');
    ask();
  };
  const { runner, clock, run, series } = runnerOf([writing('a'), asking, writing('z')], 1500);
  await run();
  assert.deepEqual(series(), ['a', 'z']);
  assert.deepEqual([runs, givenUp(), runner.isLate], [1, 1, false]);
  assert.deepEqual([runner.state, String(runner.error)], ['failed', 'DeadlineError: not done after 1.5 s']);
});
