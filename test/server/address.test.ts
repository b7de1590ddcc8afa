import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../src/core/errors.ts';
import { parseAddress, parseService } from '../../src/server/address.ts';

const SERVICES = `# Network services
tftp\t\t69/udp
http-alt\t8080/tcp\twebcache\t# WWW caching service
http-alt\t8080/udp
broken
negative\t-1/tcp
`;

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
  ['0x7f.example:1', '0x7f.example', 1],
  [':+9100', '', 9100],
  [':http-alt', '', 8080],
  ['localhost:WebCache', 'localhost', 8080],
] as const)
  test(`parseAddress takes ${text}`, () =>
    assert.deepEqual(
      parseAddress(text, () => SERVICES),
      { host, port },
    ));

for (const [text, why] of [
  ['9100', /missing port/],
  ['', /missing port/],
  ['::1:9100', /too many colons/],
  ['[::1]', /too many colons/],
  ['[::1]:9100:1', /too many colons/],
  [':99999', /invalid port/],
  [':nope', /no such port number, nor a TCP service/],
  [':tftp', /nor a TCP service/],
  [':9100x', /nor a TCP service/],
  [':-1', /invalid port/],
  ...['127.1', '0x7f.0.0.1', '2130706433', '127.0.0.01', '0177.0.0.1', '0', '[127.1]', '256.0.0.1'].map(
    (host) => [`${host}:9100`, /: no such host$/] as const,
  ),
  ['vsock://:9100', /vsock/],
] as const)
  test(`parseAddress refuses ${JSON.stringify(text)}`, () =>
    assert.throws(
      () => parseAddress(text, () => SERVICES),
      (error: Error) => error instanceof UsageError && why.test(error.message),
    ));

test('parseService passes over lines that are none', () => {
  assert.equal(parseService(SERVICES, 'http-alt'), 8080);
  for (const name of ['broken', 'negative', 'caching', '', '#']) assert.equal(parseService(SERVICES, name), undefined);
});
