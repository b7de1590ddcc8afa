import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { parseAddress } from '../../src/server/address.ts';

for (const [text, host, port] of [
  [':9100', '', 9100],
  ['127.0.0.1:9100', '127.0.0.1', 9100],
  ['localhost:0', 'localhost', 0],
  ['[::]:9100', '::', 9100],
  ['[::1]:9100', '::1', 9100],
  ['[0.0.0.0]:9100', '0.0.0.0', 9100],
  ['[127.0.0.1]:8100', '127.0.0.1', 8100],
  ['[fe80::1%eth0]:9100', 'fe80::1%eth0', 9100],
  ['node.example:', 'node.example', 0],
] as const)
  test(`parseAddress takes ${text}`, () => assert.deepEqual(parseAddress(text), { host, port }));

for (const [text, why] of [
  ['9100', /missing port/],
  ['', /missing port/],
  ['::1:9100', /too many colons/],
  ['[::1]', /too many colons/],
  ['[::1]:9100:1', /too many colons/],
  [':99999', /invalid port/],
  [':http', /invalid port/],
  [':-1', /invalid port/],
  ['vsock://:9100', /vsock/],
] as const)
  test(`parseAddress refuses ${JSON.stringify(text)}`, () =>
    assert.throws(
      () => parseAddress(text),
      (error: Error) => error instanceof UsageError && why.test(error.message),
    ));
