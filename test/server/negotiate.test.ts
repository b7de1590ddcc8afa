import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { escapingOf, prefersGzip } from '../../src/server/negotiate.ts';

for (const [header, expected] of [
  [undefined, false],
  ['', false],
  ['gzip', true],
  ['GZIP', true],
  ['gzip;q=0', false],
  ['gzip;q=0.001', true],
  ['identity', false],
  ['gzip, identity', false],
  ['gzip;q=1, identity;q=0.5', true],
  ['gzip;q=0.5, identity;q=0.9', false],
  ['identity;q=0', false],
  ['identity;q=0, gzip', true],
  ['identity;q=0, *', true],
  ['*', false],
  ['*;q=0', false],
  ['deflate, br', false],
  ['deflate, gzip;q=1.0, *;q=0.5', true],
  ['zstd,gzip', true],
  [' gzip ; q = 0.8 , br', true],
  ['gzip;q=x', true],
] as const)
  test(`Accept-Encoding ${JSON.stringify(header)}: ${expected ? 'gzip' : 'plain'}`, () =>
    assert.equal(prefersGzip(header), expected));

test('any Accept-Encoding gets an answer, and gzip only where it is named or everything is', () => {
  const piece = fc.constantFrom('gzip', 'identity', '*', ';q=', 'q', '0', '1', '.5', ',', ';', ' ', '=', '"', 'br');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const header = pieces.join('');
      if (prefersGzip(header)) assert.match(header, /gzip|\*/);
    }),
  );
});

for (const [accept, expected] of [
  [undefined, 'underscores'],
  ['text/plain', 'underscores'],
  ['text/plain;version=0.0.4;escaping=allow-utf-8', 'allow-utf-8'],
  ['text/plain;escaping=values', 'values'],
  ['text/plain;escaping=dots', 'underscores'],
  ['text/plain;escaping=nonsense', 'underscores'],
  // As Prometheus 3 asks.
  [
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2',
    'allow-utf-8',
  ],
  // As Prometheus 2 asks.
  ['application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1', 'underscores'],
  // What is wanted less than the plain text that is given does not count.
  ['text/html;escaping=values;q=0.1,text/plain', 'underscores'],
] as const)
  test(`Accept ${JSON.stringify(accept)}: escaping ${expected}`, () => assert.equal(escapingOf(accept), expected));
