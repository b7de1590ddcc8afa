import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { UsageError } from '../../src/core/errors.ts';
import { openWebConfig, parseWebConfig } from '../../src/server/web_config.ts';
import { tree } from '../helpers/scrape.ts';

const HASH = '$2b$10$BkdCl5gwoTooL78y6aBKJe01kJDLv1.5eTa0ArYb04uFTHWGhlvJS';
const read = (text: string) => parseWebConfig(parse(text), '/etc/keyhole');

test('an empty file changes nothing', () => {
  const expected = { tls: undefined, headers: {}, rateLimit: undefined, users: new Map() };
  assert.deepEqual(read(''), expected);
  assert.deepEqual(read('tls_server_config:\nhttp_server_config: {http2: false}\n'), expected);
});

test('every key is read', () => {
  const config = read(`
tls_server_config:
  cert_file: tls/server.crt
  key_file: /abs/server.key
  client_ca_file: ca.crt
  client_auth_type: RequireClientCert
  client_allowed_sans: [client.example]
  min_version: TLS10
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519, CurveP256]
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=1
    X-Frame-Options: DENY
    X-XSS-Protection: 0
    Content-Security-Policy: ''
rate_limit:
  interval: 100ms
  burst: 7
basic_auth_users:
  ops: ${HASH}
`);
  assert.deepEqual(config, {
    tls: {
      cert: { file: '/etc/keyhole/tls/server.crt' },
      key: { file: '/abs/server.key' },
      clientCa: { file: '/etc/keyhole/ca.crt' },
      clientAuth: 'RequireAnyClientCert',
      clientAllowedSans: ['client.example'],
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.2',
      cipherSuites: ['ECDHE-RSA-AES128-GCM-SHA256', 'TLS_AES_128_GCM_SHA256'],
      preferServerCiphers: false,
      curves: 'X25519:P-256',
    },
    headers: { 'Strict-Transport-Security': 'max-age=1', 'X-Frame-Options': 'DENY', 'X-XSS-Protection': '0' },
    rateLimit: { intervalMs: 100, burst: 7 },
    users: new Map([['ops', HASH]]),
  });
});

test('a file wins over a text in the configuration', () => {
  const { tls } = read('tls_server_config: {cert: PEM, cert_file: a, key: PEM}');
  assert.deepEqual([tls?.cert, tls?.key], [{ file: '/etc/keyhole/a' }, { text: 'PEM' }]);
});

for (const [text, why] of [
  ['[]', /the file is not a mapping/],
  ['tls: {}', /unknown key "tls" in the file/],
  ['tls_server_config: {certfile: x}', /unknown key "certfile" in tls_server_config/],
  ['tls_server_config: {cert_file: x}', /missing one of key or key_file/],
  ['tls_server_config: {key_file: x}', /missing one of cert or cert_file/],
  ['tls_server_config: {client_auth_type: NoClientCert}', /missing one of cert/],
  ['tls_server_config: {cert: a, key: b, client_ca: c}', /client_ca without a client_auth_type/],
  ['tls_server_config: {cert: a, key: b, client_auth_type: Maybe}', /invalid ClientAuth: Maybe/],
  ['tls_server_config: {cert: a, key: b, min_version: SSL3}', /unknown TLS version "SSL3"/],
  ['tls_server_config: {cert: a, key: b, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}', /unknown cipher suite/],
  ['tls_server_config: {cert: a, key: b, curve_preferences: [constructor]}', /unknown curve/],
  ['tls_server_config: {cert: 1, key: b}', /tls_server_config.cert is not a text/],
  ['tls_server_config: {cert: a, key: b, client_allowed_sans: x}', /not a list of texts/],
  ['tls_server_config: 3', /tls_server_config is not a mapping/],
  ['http_server_config: {http2: maybe}', /http2 is not true or false/],
  ['http_server_config: {headers: {X-Other: a}}', /HTTP header "X-Other" can not be configured/],
  ['http_server_config: {headers: {X-Frame-Options: allow}}', /"allow" is not one of deny, sameorigin/],
  ['http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}', /no header may hold/],
  ['rate_limit: {interval: 5}', /interval is not a text/],
  ['rate_limit: {interval: 5parsecs}', /invalid duration/],
  ['rate_limit: {interval: 1s, burst: 1.5}', /burst is not an integer/],
  ['basic_auth_users: {ops: secret}', /basic_auth_users.ops is not a bcrypt hash/],
  ['basic_auth_users: {ops: 1}', /not a bcrypt hash/],
  ['basic_auth_users: {ops: [x]}', /not a text/],
] as const)
  test(`refused: ${text}`, () =>
    assert.throws(
      () => read(text),
      (error: Error) => error instanceof UsageError && why.test(error.message),
    ));

test('whatever the file holds, it is taken or refused in words', () => {
  fc.assert(
    fc.property(
      fc.object({ key: fc.constantFrom('tls_server_config', 'rate_limit', 'cert', 'burst', 'x') }),
      (value) => {
        try {
          parseWebConfig(value, '/');
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      },
    ),
  );
});

test('the file is read again when it changes, and its faults name it', async (t) => {
  const root = tree(t, { 'web.yml': 'rate_limit: {interval: 1s, burst: 1}' });
  const path = join(root, 'web.yml');
  const current = await openWebConfig(path);
  const before = current();
  assert.equal(before.rateLimit?.burst, 1);
  assert.equal(current(), before);
  writeFileSync(path, 'rate_limit: {interval: 1s, burst: 22}');
  assert.equal(current().rateLimit?.burst, 22);
  writeFileSync(path, 'rate_limit: [');
  assert.throws(current, (error: Error) => error instanceof UsageError && error.message.startsWith(path));
  writeFileSync(path, 'a: 1\na: 2\n');
  assert.throws(current, /unique/);
});

test('a file that is not there is refused', async () => {
  assert.throws(await openWebConfig('/nope/web.yml'), (error: Error) => error instanceof UsageError);
});
