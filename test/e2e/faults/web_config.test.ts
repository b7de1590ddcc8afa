// Web configurations and keys that are broken, endless or made to take long, at start and while the exporter runs.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import bcrypt from 'bcryptjs';
import { freePort, KEYHOLE, startExporter } from '../../helpers/exporter.ts';

const folder = mkdtempSync(join(tmpdir(), 'keyhole-web-config-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const TLS = new URL('../../fixtures/tls/', import.meta.url).pathname;

/** Puts a file in the place of another in one step. */
function replace(path: string, make: (path: string) => void): void {
  make(`${path}.new`);
  renameSync(`${path}.new`, path);
}

const started = async (t: TestContext, config: string) => {
  const exporter = await startExporter(KEYHOLE, [`--web.config.file=${config}`, '--collector.disable-defaults']);
  t.after(() => exporter.stop('SIGKILL'));
  return exporter;
};

/** What ends the start with this configuration, and how long it took. */
function refused(text: string): { status: number | null; message: string; tookMs: number } {
  const path = join(folder, 'refused.yml');
  writeFileSync(path, text);
  const [program, ...rest] = KEYHOLE as [string, ...string[]];
  const startedAt = performance.now();
  const args = [...rest, `--web.config.file=${path}`, '--web.listen-address=127.0.0.1:0'];
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000, killSignal: 'SIGKILL' });
  return { status, message: stderr.trim().split('\n').at(-1) ?? '', tookMs: performance.now() - startedAt };
}

for (const [what, text, why] of [
  ['explicit keys in one another', '? '.repeat(1000), /nested more than 16 deep/],
  ['40,000 keys', Array.from({ length: 40_000 }, (_, i) => `k${i}: x`).join('\n'), /bytes long, more than 131072/],
  ['9,000 keys', Array.from({ length: 9000 }, (_, i) => `k${i}: x`).join('\n'), /unknown key "k0"/],
  [
    'a bcrypt cost of 31',
    `basic_auth_users: {ops: '$2y$31$${'a'.repeat(53)}'}`,
    /\.ops: a bcrypt cost of 31, .* 16 at most/,
  ],
  ['a word that is no switch', 'http_server_config: {http2: perhaps}', /http2 is not true or false: "perhaps"/],
] as const)
  test(`the start ends soon with a line that says why: ${what}`, () => {
    const { status, message, tookMs } = refused(text);
    assert.equal(status, 1, message);
    assert.match(message, why);
    assert.ok(tookMs < 10_000, `${tookMs} ms`);
  });

test('a configuration that becomes a pipe, a device, a folder or a bomb: status 500, one line each, and back again', async (t) => {
  const config = join(folder, 'web.yml');
  const hash = bcrypt.hashSync('secret', 4);
  const good = `basic_auth_users: {ops: '${hash}'}\n`;
  writeFileSync(config, good);
  const exporter = await started(t, config);
  const headers = { Authorization: `Basic ${btoa('ops:secret')}` };
  const statusOf = async (): Promise<number> => {
    const answer = await fetch(`${exporter.url}/metrics`, { headers, signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    return answer.status;
  };
  assert.equal(await statusOf(), 200);
  const faults: readonly (readonly [RegExp, (path: string) => void])[] = [
    [/not a regular file/, (path) => execFileSync('mkfifo', [path])],
    [/nested more than 16 deep/, (path) => writeFileSync(path, '? '.repeat(1000))],
    // Where the kernel has Landlock, the sandbox refuses it first.
    [/not a regular file|EACCES/, (path) => execFileSync('ln', ['-s', '/dev/zero', path])],
    [/more than 131072/, (path) => writeFileSync(path, 'k: v\n'.repeat(100_000))],
  ];
  for (const [why, make] of faults) {
    const before = exporter.log().length;
    replace(config, make);
    for (let i = 0; i < 20; i += 1) assert.equal(await statusOf(), 500);
    const lines = exporter.log().slice(before).trim().split('\n');
    assert.equal(lines.length, 1, lines.join('\n'));
    assert.match(lines[0] ?? '', why);
    replace(config, (path) => writeFileSync(path, good));
    assert.equal(await statusOf(), 200);
  }
  replace(config, (path) => execFileSync('mkfifo', [path]));
  assert.equal(await statusOf(), 500);
  const askedAt = performance.now();
  assert.equal(await exporter.stop('SIGTERM'), 0);
  assert.ok(performance.now() - askedAt < 5000);
});

test('a key that becomes a pipe ends new connections alone, until it is a key again', async (t) => {
  const config = join(folder, 'tls.yml');
  const key = join(folder, 'server.key');
  for (const name of ['server.crt', 'server.key']) copyFileSync(join(TLS, name), join(folder, name));
  writeFileSync(config, 'tls_server_config: {cert_file: server.crt, key_file: server.key}\n');
  const port = await freePort();
  // Not `startExporter`, which asks without TLS.
  const [program, ...rest] = KEYHOLE as [string, ...string[]];
  const args = [
    `--web.config.file=${config}`,
    '--collector.disable-defaults',
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const child = spawn(program, [...rest, ...args], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const ask = (): Promise<number | undefined> =>
    new Promise((resolve) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/metrics',
        rejectUnauthorized: false,
        agent: false,
        timeout: 5000,
      };
      request(options, (answer) => {
        answer.resume().once('end', () => resolve(answer.statusCode));
      })
        .on('timeout', () => resolve(0))
        .on('error', () => resolve(undefined))
        .end();
    });
  for (const until = Date.now() + 20_000; (await ask()) !== 200; await delay(50)) assert.ok(Date.now() < until);
  replace(key, (path) => execFileSync('mkfifo', [path]));
  for (let i = 0; i < 5; i += 1) assert.equal(await ask(), undefined);
  replace(key, (path) => writeFileSync(path, readFileSync(join(TLS, 'server.key'))));
  assert.equal(await ask(), 200);
});
