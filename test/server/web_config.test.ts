import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { createYamlReader } from '../../src/server/section.ts';
import { openWebConfig, parseWebConfig } from '../../src/server/web_config.ts';
import { tree } from '../helpers/scrape.ts';

const HASH = '$2b$10$BkdCl5gwoTooL78y6aBKJe01kJDLv1.5eTa0ArYb04uFTHWGhlvJS';
const readYaml = await createYamlReader();
const read = (text: string) => parseWebConfig(readYaml(text), '/etc/keyhole');

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
  ['tls_server_config: {cert: [1], key: b}', /tls_server_config.cert is not a text: \["1"\]/],
  ['tls_server_config: {cert: a, key: b, client_allowed_sans: x}', /not a list of texts/],
  ['tls_server_config: 3', /tls_server_config is not a mapping: "3"/],
  ['http_server_config: {http2: maybe}', /http2 is not true or false: "maybe"/],
  ['http_server_config: {http2: "true"}', /http2 is not true or false: "true"/],
  ["http_server_config: {http2: 'no'}", /http2 is not true or false: "no"/],
  ['http_server_config: {http2: !!str yes}', /http2 is not true or false: "yes"/],
  ['http_server_config: {http2: ""}', /http2 is not true or false: ""/],
  ['# \x07\nhttp_server_config: {http2: on}', /control characters are not allowed/],
  ['http_server_config: {headers: {X-Other: a}}', /HTTP header "X-Other" can not be configured/],
  ['http_server_config: {headers: {X-Frame-Options: allow}}', /"allow" is not one of deny, sameorigin/],
  ['http_server_config: {headers: {Content-Security-Policy: "a\\nb"}}', /no header may hold/],
  ['rate_limit: {interval: 5}', /invalid duration "5"/],
  ['rate_limit: {interval: 5parsecs}', /invalid duration/],
  ['rate_limit: {interval: 1s, burst: "5"}', /burst is not an integer: "5"/],
  ['rate_limit: {interval: 1s, burst: .inf}', /burst is not an integer: ".inf"/],
  ['rate_limit: {interval: 1s, burst: 9223372036854775808}', /burst is not an integer: "9223372036854775808"/],
  ['rate_limit: {interval: 1s, burst: 1.5.0}', /burst is not an integer: "1.5.0"/],
  ['basic_auth_users: {ops: secret}', /basic_auth_users.ops is not a bcrypt hash/],
  ['basic_auth_users: {ops: 1}', /not a bcrypt hash/],
  ['basic_auth_users: {ops: [x]}', /not a text/],
  [
    `basic_auth_users: {ops: '${HASH.replace('$10$', '$31$')}'}`,
    /basic_auth_users\.ops: a bcrypt cost of 31, .* 16 at most/,
  ],
  ['a: 1\na: 2', /the key "a" is there twice/],
  ['http_server_config: {http2: no, headers: {a: 1, a: 2}}', /the key "a" is there twice/],
  ['[a]: b', /all keys must be strings/],
  ['rate_limit: [', /end with a \]/],
  ['a: &a [x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\nd: [*c,*c,*c]', /alias/],
] as const)
  test(`refused: ${text}`, () =>
    assert.throws(
      () => read(text),
      (error: Error) => error instanceof UsageError && why.test(error.message),
    ));

for (const [word, expected] of [
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'on', 'On', 'ON', 'true', 'True', 'TRUE'].map((each) => [each, true] as const),
  ...['n', 'N', 'no', 'No', 'NO', 'off', 'Off', 'OFF', 'false', 'False', 'FALSE'].map((each) => [each, false] as const),
  ['~', true],
  ['', true],
] as const)
  test(`a switch may be ${word}`, () => {
    const { tls } = read(`tls_server_config: {cert: a, key: b, prefer_server_cipher_suites: ${word}}`);
    assert.equal(tls?.preferServerCiphers, expected);
  });

for (const [text, expected] of [
  ['7', 7],
  ['-1', -1],
  ['1.5', 1],
  ['1e1', 10],
  ['.5', 0],
  ['1_000', 1000],
  ['0x10', 16],
  ['0b11', 3],
  ['010', 8],
  ['09', 9],
  ['~', 0],
] as const)
  test(`an integer may be written ${text}`, () =>
    assert.equal(read(`rate_limit: {interval: 1s, burst: ${text}}`).rateLimit?.burst, expected));

test('a file that is not UTF-8 is refused, wherever that stands', async (t) => {
  const path = join(tree(t, {}), 'web.yml');
  writeFileSync(path, '# gr\xfc\xdfe\nhttp_server_config: {http2: true}\n', 'latin1');
  const config = await openWebConfig(path);
  assert.throws(config, { name: 'UsageError', message: `${path}: not UTF-8` });
  writeFileSync(path, '\ufeff# grüße 日本\nhttp_server_config: {http2: true}\n');
  assert.deepEqual(config().headers, {});
});

test('a configuration may lie below folders of any name, with its certificates', async (t) => {
  for (const name of ['ré', '日本']) {
    const root = tree(t, { [`${name}/web.yml`]: 'tls_server_config: {cert_file: ü.crt, key_file: ü.key}' });
    const { tls } = (await openWebConfig(join(root, name, 'web.yml')))();
    assert.deepEqual(tls?.cert, { file: join(root, name, 'ü.crt') });
  }
});

test('a scalar is the text that stands in the file, whatever YAML takes it for', () => {
  const { users, headers } = read(`
basic_auth_users: {no: '${HASH}', 0x10: '${HASH}', 1e3: '${HASH}', 2020-01-01: '${HASH}'}
http_server_config: {headers: {X-XSS-Protection: 0.0, Content-Security-Policy: on}}
`);
  assert.deepEqual([...users.keys()], ['no', '0x10', '1e3', '2020-01-01']);
  assert.deepEqual(headers, { 'X-XSS-Protection': '0.0', 'Content-Security-Policy': 'on' });
});

test('a mapping may be merged into another', () => {
  const { rateLimit } = read('rate_limit: &limit {interval: 1s, burst: 3}\n');
  assert.equal(rateLimit?.burst, 3);
  assert.equal(read('rate_limit: {<<: {interval: 1s, burst: 3}, burst: 4}').rateLimit?.burst, 4);
});

for (const [what, text] of [
  ['explicit keys in one another', '? '.repeat(60_000)],
  ['lists in one another', '['.repeat(120_000)],
  ['mappings in one another', '{a: '.repeat(30_000)],
  ['dashes', '- '.repeat(60_000)],
  ['many keys', Array.from({ length: 9000 }, (_, i) => `k${i}: a`).join('\n')],
  ['many anchors', Array.from({ length: 3000 }, (_, i) => `k${i}: &a${i} [*a${Math.max(0, i - 1)}]`).join('\n')],
  [
    'merges of merges',
    `a0: &a0 {x: y}\n${Array.from({ length: 2000 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: [*a${i}, *a${i}]}`).join('\n')}`,
  ],
] as const)
  test(`a file made to take long is refused soon: ${what}`, () => {
    const before = process.cpuUsage();
    assert.throws(() => read(text), UsageError);
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 5e6, `${user + system} microseconds of CPU`);
  });

test('whatever is written in YAML, it is taken or refused in words', () => {
  const word = fc.constantFrom(
    ...[
      'tls_server_config',
      'headers',
      'rate_limit',
      'burst',
      'basic_auth_users',
      'a',
      '1s',
      'no',
      '~',
      '<<',
      "'",
      '"',
    ],
    ...[
      ': ',
      ':\n  ',
      '\n',
      '- ',
      '? ',
      '[',
      ']',
      '{',
      '}',
      ', ',
      '&a ',
      '*a',
      '!!binary ',
      '!x ',
      '|\n  ',
      '# ',
      '---\n',
      '\t',
      '\0',
    ],
  );
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: word }, fc.string({ unit: 'binary' })), { maxLength: 40 }),
      (words) => {
        try {
          read(words.join(''));
        } catch (error) {
          assert.ok(error instanceof UsageError, String(error));
        }
      },
    ),
    { numRuns: 2000 },
  );
});

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
  assert.throws(current, /the key "a" is there twice/);
});

test('a file that is not there is refused', async () => {
  assert.throws(await openWebConfig('/nope/web.yml'), (error: Error) => error instanceof UsageError);
});

test('a pipe or a device in the place of the file is refused, and waited for by nobody', async (t) => {
  const root = tree(t, {});
  const pipe = join(root, 'web.yml');
  execFileSync('mkfifo', [pipe]);
  for (const [path, why] of [
    [pipe, 'not a regular file'],
    ['/dev/zero', 'not a regular file'],
    [root, 'not a regular file'],
  ] as const)
    assert.throws(await openWebConfig(path), { name: 'UsageError', message: `${path}: ${why}` });
});

test('a file that is too long is refused', async (t) => {
  const path = join(tree(t, { 'web.yml': `#${'x'.repeat(128 << 10)}` }), 'web.yml');
  assert.throws(await openWebConfig(path), { message: `${path}: 131073 bytes long, more than 131072` });
});
