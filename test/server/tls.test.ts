import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { UsageError } from '../../src/core/errors.ts';
import { parseAltNames } from '../../src/server/tls.ts';
import { FIXTURES, tree } from '../helpers/scrape.ts';
import { serve } from '../helpers/server.ts';

const TLS = join(FIXTURES, 'tls');
const pem = (name: string): string => readFileSync(join(TLS, name), 'utf8');
const CA = pem('ca.crt');
const identity = (name: string) => ({ cert: pem(`${name}.crt`), key: pem(`${name}.key`) });

/** Serves with TLS; `more` are lines of `tls_server_config`. */
async function serveTls(t: TestContext, more = ''): Promise<{ port: number; root: string }> {
  const root = tree(t, {
    'web.yml': `tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n${more}`,
    'server.crt': pem('server.crt'),
    'server.key': pem('server.key'),
    'ca.crt': CA,
  });
  const { port } = await serve(t, { webConfigFile: join(root, 'web.yml') });
  return { port, root };
}

/** The status of one request, or the code of what went wrong. */
function ask(port: number, options: ConnectionOptions = {}): Promise<number | string> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, path: '/metrics', agent: false, ca: CA, ...options }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve(answer.statusCode ?? 0));
    });
    asked.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end();
  });
}

async function handshake(t: TestContext, port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: CA, ...options });
  t.after(() => void socket.destroy());
  await once(socket, 'secureConnect');
  return socket;
}

test('metrics over TLS, to clients that trust the certificate', async (t) => {
  const { port } = await serveTls(t);
  assert.equal(await ask(port), 200);
  assert.match(String(await ask(port, { ca: pem('stranger.crt') })), /^(UNABLE|SELF_SIGNED|DEPTH)/);
});

test('a certificate that is renewed is served to the next connection, with a name or without', async (t) => {
  const { port, root } = await serveTls(t);
  const nameOf = async (): Promise<unknown> => (await handshake(t, port)).getPeerCertificate().subject['CN'];
  assert.equal(await nameOf(), 'localhost');
  copyFileSync(join(TLS, 'renewed.key'), join(root, 'server.key'));
  copyFileSync(join(TLS, 'renewed.crt'), join(root, 'server.crt'));
  assert.equal(await nameOf(), 'renewed');
});

test('with a certificate that cannot be used connections fail, and work again when it is mended', async (t) => {
  const { port, root } = await serveTls(t);
  copyFileSync(join(TLS, 'renewed.key'), join(root, 'server.key'));
  assert.equal(typeof (await ask(port)), 'string');
  copyFileSync(join(TLS, 'renewed.crt'), join(root, 'server.crt'));
  assert.equal(await ask(port), 200);
});

test('versions, suites and curves are those configured', async (t) => {
  const { port } = await serveTls(
    t,
    '  max_version: TLS12\n  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n  curve_preferences: [CurveP384]\n',
  );
  const socket = await handshake(t, port);
  assert.equal(socket.getProtocol(), 'TLSv1.2');
  assert.equal(socket.getCipher().name, 'ECDHE-ECDSA-AES256-GCM-SHA384');
  assert.deepEqual((socket.getEphemeralKeyInfo() as { name: string }).name, 'secp384r1');
  assert.equal(typeof (await ask(port, { minVersion: 'TLSv1.3' })), 'string');
});

test('a list of older suites leaves TLS 1.3 on', async (t) => {
  const { port } = await serveTls(t, '  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n');
  assert.equal((await handshake(t, port)).getProtocol(), 'TLSv1.3');
});

const withCa = (type: string, more = ''): string =>
  `  client_auth_type: ${type}\n${type.includes('Verify') ? '  client_ca_file: ca.crt\n' : ''}${more}`;

for (const [type, none, stranger, client] of [
  ['NoClientCert', true, true, true],
  ['RequestClientCert', true, true, true],
  ['RequireAnyClientCert', false, true, true],
  ['VerifyClientCertIfGiven', true, false, true],
  ['RequireAndVerifyClientCert', false, false, true],
] as const)
  test(`client certificates: ${type}`, async (t) => {
    const { port } = await serveTls(t, type === 'NoClientCert' ? '' : withCa(type));
    const passes = async (options: ConnectionOptions): Promise<boolean> => (await ask(port, options)) === 200;
    assert.equal(await passes({}), none, 'without a certificate');
    assert.equal(await passes(identity('stranger')), stranger, "a stranger's");
    assert.equal(await passes(identity('client')), client, "a client's");
  });

for (const [name, allowed] of [
  ['client.example', true],
  ['ops@client.example', true],
  ['spiffe://example/client', true],
  ['other.example', false],
] as const)
  test(`a client is let in by its name: ${name}`, async (t) => {
    const { port } = await serveTls(
      t,
      withCa('RequireAndVerifyClientCert', `  client_allowed_sans: [other, '${name}']\n`),
    );
    assert.equal((await ask(port, identity('client'))) === 200, allowed);
  });

test('parseAltNames takes the kinds away and the quotes', () => {
  assert.deepEqual(parseAltNames('DNS:a.example, IP Address:10.0.0.1, URI:"x, y", email:a@b'), [
    'a.example',
    '10.0.0.1',
    'x, y',
    'a@b',
  ]);
  assert.deepEqual(parseAltNames(undefined), []);
  // OpenSSL writes every group.
  assert.deepEqual(parseAltNames('IP Address:2001:DB8:0:0:0:0:0:1, DNS:x'), ['2001:db8::1', 'x']);
});

test('a configuration that cannot be used ends the start', async (t) => {
  const root = tree(t, { 'web.yml': 'tls_server_config: {cert: x, key_file: nope}' });
  await assert.rejects(serve(t, { webConfigFile: join(root, 'web.yml') }), UsageError);
});

test('plain HTTP to a TLS port, or silence, harms nobody', async (t) => {
  const { port } = await serveTls(t);
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`));
  assert.equal(await ask(port), 200);
});
