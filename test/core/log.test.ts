import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLogger, type LogOptions, timestamp } from '../../src/core/log.ts';

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
