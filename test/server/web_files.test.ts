import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { webFiles } from '../../src/server/web_files.ts';

test('the files that a web configuration names', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-web-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'web.yml');
  const files = (text: string): string[] => {
    writeFileSync(path, text);
    return webFiles(path).map((file) => file.replace(folder, '.'));
  };
  assert.deepEqual(webFiles(''), []);
  assert.deepEqual(webFiles(join(folder, 'none.yml')), [join(folder, 'none.yml')]);
  assert.deepEqual(files(''), ['./web.yml']);
  const block =
    'tls_server_config:\n  cert_file: server.crt # ours\n  key_file: "/etc/keys/a b.key"\n  client_ca_file: ca/x.pem\n';
  assert.deepEqual(files(block), ['./web.yml', './server.crt', '/etc/keys/a b.key', './ca/x.pem']);
  assert.deepEqual(files("{tls_server_config: {'cert_file': 'a.crt', \"key_file\" : b.key}}"), [
    './web.yml',
    './a.crt',
    './b.key',
  ]);
});

test('a pipe that nobody writes to and a device without an end hold nothing up', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-web-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of [pipe, '/dev/zero']) assert.deepEqual(webFiles(path), [path]);
});
