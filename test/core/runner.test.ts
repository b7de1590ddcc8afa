import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineError, NoDataError, ParseError } from '../../src/core/errors.ts';
import type { Collect } from '../../src/core/host.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { createRunner, type Runner } from '../../src/core/runner.ts';
import { createDeadline, createPace } from '../../src/core/turn.ts';
import { render } from '../helpers/render.ts';
import { keepingLog, type Told } from '../helpers/server.ts';

const value = gauge('node_value', 'V.', 'by');
const writing =
  (by: string): Collect =>
  (out) =>
    out.sample(value, 1, by);
const throwing =
  (error: unknown): Collect =>
  () => {
    throw error;
  };

interface Clock {
  nowMs: number;
}

function runnerOf(parts: readonly Collect[], timeoutMs = 20, log: Logger = silent) {
  const clock: Clock = { nowMs: 0 };
  const now = (): number => clock.nowMs;
  const runner = createRunner({ name: 'x', parts }, { timeoutMs, log, clock: now, pace: createPace(now) });
  const run = async (): Promise<void> => {
    const deadline = createDeadline(timeoutMs);
    await runner.run(deadline);
    deadline.clear();
  };
  return { runner, clock, run };
}

const series = ({ samples }: Runner): string[] => render([samples]).text.match(/^node.*/gm) ?? [];
const factsOf = ({ state, error, faultsTotal, isLate }: Runner) => ({ state, error, faultsTotal, isLate });

test('a collector that has not run says so', () => {
  assert.deepEqual(factsOf(runnerOf([writing('a')]).runner), {
    state: 'never_run',
    error: undefined,
    faultsTotal: 0,
    isLate: false,
  });
});

test('a run that waits for nothing makes no promise', () => {
  const { runner } = runnerOf([writing('a'), writing('b')]);
  assert.equal(runner.run(createDeadline(1000)), undefined);
  assert.deepEqual(series(runner), ['node_value{by="a"} 1', 'node_value{by="b"} 1']);
  assert.equal(runner.state, 'ok');
});

for (const [how, broken] of [
  ['throws', throwing(new Error('broken'))],
  ['rejects', () => Promise.reject(new Error('broken'))],
  [
    'throws nothing',
    () => {
      throw undefined;
    },
  ],
] as const)
  test(`a part that ${how} does not silence the others`, async () => {
    const later: Collect = async (out) => {
      await new Promise(setImmediate);
      out.sample(value, 1, 'later');
    };
    const { runner, run } = runnerOf([writing('a'), broken, later, broken, writing('b')], 1000);
    for (let i = 1; i <= 2; i += 1) {
      await run();
      assert.deepEqual(series(runner), ['node_value{by="a"} 1', 'node_value{by="b"} 1', 'node_value{by="later"} 1']);
      assert.equal(runner.state, 'failed');
      assert.ok(runner.error instanceof Error);
      assert.equal(runner.faultsTotal, 2 * i);
    }
  });

test('parts run one after the other', async () => {
  const order: string[] = [];
  const slow: Collect = async () => {
    order.push('slow begins');
    await new Promise(setImmediate);
    order.push('slow ends');
  };
  const { run } = runnerOf([slow, () => void order.push('next')], 1000);
  await run();
  assert.deepEqual(order, ['slow begins', 'slow ends', 'next']);
});

test('faults are counted, those of a part and those that it reports; having no data is none', async () => {
  const reporting: Collect = (out) => {
    for (let i = 0; i < 100; i += 1) out.fault(new ParseError('f', `${i}`));
  };
  const { runner, run } = runnerOf([reporting]);
  await run();
  assert.deepEqual([runner.state, runner.faultsTotal, runner.samples.faults.length], ['failed', 100, 64]);
  await run();
  assert.equal(runner.faultsTotal, 200);
  const none = runnerOf([throwing(new NoDataError('none'))]);
  await none.run();
  assert.deepEqual([none.runner.state, none.runner.faultsTotal], ['no_data', 0]);
});

test('what is left out and said elsewhere is counted, and no failure', async () => {
  const losing: Collect = (out) => {
    for (const what of ['first', 'second']) {
      out.leftOut(new Error(what));
      out.remark(what);
    }
  };
  const { runner, run } = runnerOf([losing]);
  await run();
  assert.deepEqual([runner.state, runner.faultsTotal, runner.error], ['ok', 2, undefined]);
  assert.deepEqual([String(runner.samples.lost), runner.samples.remarkText], ['Error: first', 'first']);
  await run();
  assert.equal(runner.faultsTotal, 4);
});

test('one part without data does not hide the fault of another', async () => {
  const broken = throwing(new Error('broken'));
  const none = throwing(new NoDataError('none'));
  for (const parts of [
    [broken, none],
    [none, broken],
  ]) {
    const { runner, run } = runnerOf(parts);
    await run();
    assert.deepEqual([runner.state, runner.faultsTotal, String(runner.error)], ['failed', 1, 'Error: broken']);
  }
});

test('what one run wrote and the next does not is gone', async () => {
  let names = ['a', 'b', 'c'];
  const { runner, run } = runnerOf([
    (out) => {
      for (const name of names) out.sample(value, 1, name);
    },
  ]);
  for (const next of [['a', 'b', 'c'], ['a'], ['a', 'c'], [], ['b']]) {
    names = next;
    await run();
    assert.deepEqual(
      series(runner),
      next.map((name) => `node_value{by="${name}"} 1`),
    );
  }
});

/** A part that waits until it is let go, and writes before and after. */
function hanging() {
  let runs = 0;
  let release = (): void => {};
  let signal: AbortSignal | undefined;
  const part: Collect = async (out, turn) => {
    runs += 1;
    signal = turn.signal;
    out.sample(value, 1, 'before');
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    out.sample(value, 1, 'after');
    out.fault(new Error('late fault'));
    out.histogram(value, { buckets: [], sum: 0, count: 0 }, ['x']);
  };
  return { part, runs: () => runs, release: () => release(), isAborted: () => signal?.aborted === true };
}

test('who is late has its signal aborted, is not shown, and what it writes afterwards is dropped', async () => {
  const stuck = hanging();
  const { runner, run } = runnerOf([writing('first'), stuck.part, writing('last')], 10);
  await run();
  assert.ok(stuck.isAborted());
  assert.ok(runner.isLate);
  assert.ok(runner.error instanceof DeadlineError);
  assert.match(String(runner.error), /not done after 0\.01 s/);
  assert.equal(runner.state, 'failed');
  const { faultsTotal } = runner;
  await run();
  assert.equal(stuck.runs(), 1, 'nobody starts it again as long as it is busy');
  assert.match(String(runner.error), /still busy with an earlier scrape/);
  assert.equal(runner.seconds, 0);
  assert.ok(runner.isLate);
  stuck.release();
  await new Promise(setImmediate);
  assert.doesNotMatch(series(runner).join(), /after|last/);
  assert.equal(runner.faultsTotal, faultsTotal);
  const again = run();
  stuck.release();
  await again;
  assert.equal(stuck.runs(), 2);
  assert.equal(runner.isLate, false);
  assert.match(series(runner).join(), /after.*last/);
});

test('who asks while it runs waits for the same run', async () => {
  const stuck = hanging();
  const { runner } = runnerOf([stuck.part], 1000);
  const deadline = createDeadline(1000);
  const [a, b] = [runner.run(deadline), runner.run(deadline)];
  assert.ok(a instanceof Promise);
  assert.equal(a, b);
  stuck.release();
  await a;
  deadline.clear();
  assert.equal(stuck.runs(), 1);
});

test('a run takes as long as the clock says, in seconds', async () => {
  const { runner, clock, run } = runnerOf([
    () => {
      clock.nowMs += 1500;
    },
  ]);
  clock.nowMs = 1e6;
  await run();
  assert.equal(runner.seconds, 1.5);
});

test('the time that is left is that of this run', async () => {
  const left: number[] = [];
  const { clock, run } = runnerOf(
    [
      (_out, turn) => {
        left.push(turn.leftMs());
        clock.nowMs += 30;
        left.push(turn.leftMs());
      },
    ],
    100,
  );
  await run();
  await run();
  assert.deepEqual(left, [100, 70, 100, 70]);
});

test('a part that never waits is stopped by its pauses when its time is over', async () => {
  let steps = 0;
  const { runner, clock, run } = runnerOf(
    [
      (_out, turn) => {
        for (; steps < 1000; steps += 1) {
          clock.nowMs += 3;
          turn.pause();
        }
      },
      writing('other'),
    ],
    20,
  );
  await run();
  assert.ok(steps < 10, `${steps}`);
  assert.ok(runner.error instanceof DeadlineError);
  assert.deepEqual(series(runner), ['node_value{by="other"} 1']);
});

test('what is not known is logged once, whatever is passed over at each scrape', async () => {
  const told: Told[] = [];
  const passing: Collect = (out) => {
    out.passedOver('new line');
    out.passedOver('new line');
  };
  const { run } = runnerOf([passing], 100, keepingLog(told));
  for (let i = 0; i < 3; i += 1) await run();
  const infos = told.filter(({ level }) => level === 'info');
  assert.deepEqual(
    infos.map(({ message, fields }) => [message, fields]),
    [['passed over what is unknown', { name: 'x', what: 'new line' }]],
  );
});
