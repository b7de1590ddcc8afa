import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LimitError, NoDataError, ParseError } from '../../src/core/errors.ts';
import { createLogger, silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { createRegistry, type Ready } from '../../src/core/registry.ts';
import { scraper } from '../helpers/render.ts';

const value = gauge('node_value', 'V.', 'by');
const steady: Ready = { name: 'steady', parts: [(out) => out.sample(value, 1, 'steady')] };

const success = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/_success\{collector="(\w+)"\} (\d)/g)].map(([, name, flag]) => [name, flag]));

test('a collector that fails keeps what it wrote and harms no other', async () => {
  const failing: Ready = {
    name: 'failing',
    parts: [
      (out) => {
        out.sample(value, 2, 'failing');
        throw new Error('no such thing');
      },
    ],
  };
  const rejecting: Ready = { name: 'rejecting', parts: [() => Promise.reject(new Error('later'))] };
  const text = await scraper(createRegistry([failing, steady, rejecting], { timeoutMs: 1000, log: silent }))();
  assert.match(text, /node_value\{by="failing"\} 2\nnode_value\{by="steady"\} 1\n/);
  assert.deepEqual(success(text), { failing: '0', steady: '1', rejecting: '0' });
  assert.match(text, /^node_scrape_collector_duration_seconds\{collector="steady"\} \S+$/m);
});

test('who is late is reported as failed and not shown, and nobody waits for him again until he is back', async () => {
  let release = (): void => {};
  const hanging: Ready = {
    name: 'hanging',
    parts: [
      async (out, turn) => {
        out.sample(value, 1, 'before');
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        out.sample(value, turn.signal.aborted ? 2 : 3, 'after');
      },
    ],
  };
  const scrape = scraper(createRegistry([hanging, steady], { timeoutMs: 20, log: silent }));
  const first = await scrape();
  assert.doesNotMatch(first, /by="before"/);
  assert.deepEqual(success(first), { hanging: '0', steady: '1' });
  const second = await scrape();
  assert.deepEqual(success(second), { hanging: '0', steady: '1' });
  assert.doesNotMatch(second, /by="before"/, 'it was not started again');
  release();
  await new Promise(setImmediate);
  const third = scrape();
  await new Promise(setImmediate);
  release();
  assert.match(await third, /by="after"\} 3\nnode_value\{by="before"\} 1/, 'it is asked again');
});

test('who asks for a collector that is under way waits for the same run', async () => {
  let runs = 0;
  const counting: Ready = {
    name: 'counting',
    parts: [
      async () => {
        runs += 1;
        await new Promise(setImmediate);
      },
    ],
  };
  const registry = createRegistry([counting, steady], { timeoutMs: 1000, log: silent });
  const [a, b, c] = [scraper(registry), scraper(registry), scraper(registry)];
  const texts = await Promise.all([a(), b(), c(['counting'])]);
  assert.deepEqual(
    texts.map((text) => success(text)),
    [{ counting: '1', steady: '1' }, { counting: '1', steady: '1' }, { counting: '1' }],
  );
  assert.equal(runs, 1, 'even under another filter the collector that is under way is joined');
  await a();
  assert.equal(runs, 2);
});

test('only the collectors asked for, each once; none asked for is none', async () => {
  const registry = createRegistry([steady, { ...steady, name: 'other' }], { timeoutMs: 1000, log: silent });
  assert.deepEqual(success(await scraper(registry)(['steady', 'steady', 'unknown'])), { steady: '1' });
  assert.equal(await scraper(registry)([]), '');
});

test('a fault is logged when it comes, when it changes and when it goes, not at every scrape', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format: 'logfmt', write: (line) => lines.push(line) });
  let error: Error | undefined = new Error('one');
  const moody: Ready = {
    name: 'moody',
    parts: [
      () => {
        if (error !== undefined) throw error;
      },
    ],
  };
  const scrape = scraper(createRegistry([moody], { timeoutMs: 1000, log }));
  for (const next of [error, error, new LimitError('two'), undefined, undefined, new NoDataError('none')]) {
    error = next;
    await scrape();
  }
  const logged = lines.map((line) =>
    /level=(\w+).*?msg="(.*?)".*?(?:(?:code=(\S+) )?err=(\S+))?\n/.exec(line)?.slice(1),
  );
  assert.deepEqual(logged, [
    ['ERROR', 'collector failed', undefined, 'one'],
    ['ERROR', 'collector failed', 'LIMIT', 'two'],
    ['INFO', 'collector works again', undefined, undefined],
  ]);
});

test('every fault of a collector is logged once, whatever numbers are in it', async () => {
  const lines: string[] = [];
  const log = createLogger({ level: 'info', format: 'logfmt', write: (line) => lines.push(line) });
  let faults: readonly (readonly [file: string, line: string])[] = [];
  const partly: Ready = {
    name: 'partly',
    parts: [
      (out) => {
        for (const [file, line] of faults) out.fault(new ParseError(file, line));
      },
    ],
  };
  const scrape = scraper(createRegistry([partly], { timeoutMs: 1000, log }));
  const quoted = async (...next: typeof faults): Promise<(string | undefined)[]> => {
    faults = next;
    lines.length = 0;
    await scrape();
    return lines.map((line) => /err="(.*?): cannot/.exec(line)?.[1] ?? line);
  };
  const disk = (name: string, flying: number): [string, string] => ['/proc/diskstats', `8 0 ${name} 5 ${flying} -1`];
  assert.deepEqual(await quoted(['BAT0/capacity', 'x'], ['BAT1/capacity', 'y']), ['BAT0/capacity', 'BAT1/capacity']);
  assert.deepEqual(await quoted(['BAT0/capacity', 'x'], ['BAT1/capacity', 'y']), []);
  assert.deepEqual(await quoted(['BAT0/capacity', 'x'], disk('sda1', 1)), ['/proc/diskstats']);
  assert.deepEqual(await quoted(['BAT0/capacity', 'x'], disk('sda1', 2)), [], 'a counter has moved');
  assert.deepEqual(await quoted(disk('sda1', -3), disk('sda2', 3)), ['/proc/diskstats'], 'another disk is news');
  assert.match((await quoted())[0] ?? '', /works again/);
  assert.deepEqual(await quoted(['BAT0/capacity', 'x']), ['BAT0/capacity']);
});

test('a collector with much to do lets others run, and is stopped when its time is over', async () => {
  let now = 0;
  let turns = 0;
  const busy: Ready = {
    name: 'busy',
    parts: [
      async (_out, turn) => {
        for (;;) {
          now += 6;
          await turn.pause();
          turns += 1;
        }
      },
    ],
  };
  const registry = createRegistry([busy], { timeoutMs: 120, log: silent, clock: () => now });
  let others = 0;
  const tick = setImmediate(function again() {
    others += 1;
    if (others < 5) setImmediate(again);
  });
  const text = await scraper(registry)();
  clearImmediate(tick);
  assert.deepEqual(success(text), { busy: '0' });
  assert.ok(turns >= 19 && others >= 5, `${turns} turns, ${others} of others`);
});

test('a collector can ask how much time it has left', async () => {
  let now = 0;
  const left: number[] = [];
  const asking: Ready = {
    name: 'asking',
    parts: [
      (_out, turn) => {
        left.push(turn.leftMs());
        now += 30;
        left.push(turn.leftMs());
      },
    ],
  };
  await scraper(createRegistry([asking], { timeoutMs: 100, log: silent, clock: () => now }))();
  assert.deepEqual(left, [100, 70]);
});

test('a duration is in seconds, by another clock than ours', async () => {
  const busyMs = 30;
  const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
  const busy: Ready = {
    name: 'busy',
    parts: [
      () => {
        const until = nowMs() + busyMs;
        while (nowMs() < until);
      },
    ],
  };
  const scrape = scraper(createRegistry([busy, steady], { timeoutMs: 10_000, log: silent }));
  const startedMs = nowMs();
  const text = await scrape();
  const elapsedSeconds = (nowMs() - startedMs) / 1000;
  const seconds = Number(/_duration_seconds\{collector="busy"\} (\S+)/.exec(text)?.[1]);
  assert.ok(
    seconds >= busyMs / 1000 && seconds <= elapsedSeconds,
    `${busyMs / 1000} <= ${seconds} <= ${elapsedSeconds}`,
  );
});

test('reports say how each collector fared, in the order of their names', async () => {
  const none: Ready = {
    name: 'none',
    parts: [
      () => {
        throw new NoDataError('nothing here');
      },
    ],
  };
  const registry = createRegistry([steady, none], { timeoutMs: 1000, log: silent });
  assert.deepEqual(
    registry.states().map(({ name, state, series }) => [name, state, series]),
    [
      ['none', 'never_run', 0],
      ['steady', 'never_run', 0],
    ],
  );
  await scraper(registry)();
  assert.deepEqual(
    registry.states().map(({ name, state, series, faults }) => [name, state, series, faults]),
    [
      ['none', 'no_data', 0, 0],
      ['steady', 'ok', 1, 0],
    ],
  );
});

test('what comes from others is shown where nobody else writes the same series', async () => {
  const foreign: Ready = { name: 'a', isForeign: true, parts: [(out) => out.sample(value, 7, 'steady')] };
  const text = await scraper(createRegistry([foreign, steady], { timeoutMs: 1000, log: silent }))();
  assert.match(text, /^node_value\{by="steady"\} 1$/m);
});
