import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { boundedWrite, createLogger, type LogOptions, timestamp } from '../../src/core/log.ts';

const at = new Date(2026, 0, 2, 15, 4, 5, 7);

function logged(options: Partial<LogOptions>, write: (log: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  write(
    createLogger({
      level: 'info',
      format: 'logfmt',
      now: () => at,
      write: (line) => {
        text += line;
      },
      ...options,
    }),
  );
  return text;
}

test('logfmt quotes what needs it', () => {
  const text = logged({}, (log) =>
    log
      .with({ collector: 'cpu' })
      .warn('a "b"', { n: 1, s: 'a=b', e: '', err: new Error('x y'), none: undefined, plain: 'ä/b' }),
  );
  assert.equal(
    text,
    `time=${timestamp(at)} level=WARN msg="a \\"b\\"" collector=cpu n=1 s="a=b" e="" err="x y" plain=ä/b\n`,
  );
});

test('json keeps numbers and flags', () => {
  assert.deepEqual(
    JSON.parse(
      logged({ format: 'json' }, (log) => log.error('m', { n: 1, ok: true, err: new Error('x'), list: ['a'] })),
    ),
    {
      time: timestamp(at),
      level: 'ERROR',
      msg: 'm',
      n: 1,
      ok: true,
      err: 'x',
      list: '["a"]',
    },
  );
});

test('a line break in a value does not make a second line', () => {
  assert.equal(logged({}, (log) => log.info('a\nb', { k: 'c\nd' })).split('\n').length, 2);
});

test('below the level nothing is written', () => {
  assert.equal(
    logged({ level: 'error' }, (log) => {
      log.debug('d');
      log.info('i');
      log.warn('w');
    }),
    '',
  );
  assert.match(
    logged({ level: 'debug' }, (log) => log.debug('d')),
    /level=DEBUG msg=d\n$/,
  );
});

test('timestamp has milliseconds and the zone', () =>
  assert.match(timestamp(at), /^2026-01-02T15:04:05\.007(Z|[+-]\d\d:\d\d)$/));

test('lines that nobody reads are given up, and counted when somebody does', () => {
  const taken: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(line, _, done) {
      taken.push(line);
      waiting.push(done);
    },
  });
  const log = createLogger({ level: 'info', format: 'json', now: () => at, write: boundedWrite(stream) });
  const message = 'x'.repeat(10_000);
  for (let i = 0; i < 1000; i += 1) log.with({ i }).info(message);
  assert.ok(stream.writableLength <= 1 << 20);
  const read = (): void => {
    for (let done = waiting.shift(); done !== undefined; done = waiting.shift()) done();
  };
  while (stream.writableLength > 0) read();
  const count = taken.length;
  assert.ok(count > 90 && count < 110);
  log.info('after');
  while (stream.writableLength > 0) read();
  assert.deepEqual(
    (taken[count] ?? '')
      .trim()
      .split('\n')
      .map((line) => [JSON.parse(line).msg, JSON.parse(line).count]),
    [
      ['Log lines were lost, since nobody read them', 1000 - count],
      ['after', undefined],
    ],
  );
});
