import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { serve } from '../../helpers/server.ts';

test('the page and its files carry a policy that allows nothing else', async (t) => {
  const { url } = await serve(t);
  for (const [path, type] of [
    ['/', 'text/html; charset=UTF-8'],
    ['/status.js', 'text/javascript'],
    ['/status.css', 'text/css'],
  ] as const) {
    const answer = await fetch(url + path);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), type);
    assert.match(answer.headers.get('content-security-policy') ?? '', /^default-src 'none'; script-src 'self'; /);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
    assert.ok((await answer.text()).length > 1000);
  }
});

test('asking for the page runs no collector', async (t) => {
  let runs = 0;
  const collect = (): void => {
    runs += 1;
  };
  const { url } = await serve(t, { collectors: [{ name: 'cpu', parts: [collect] }] });
  assert.match(await (await fetch(url)).text(), />not run yet</);
  assert.equal(runs, 0);
  await (await fetch(`${url}/metrics`)).text();
  assert.match(await (await fetch(url)).text(), />ok, nothing to report</);
  assert.equal(runs, 1);
});

test('a policy of the web configuration stands', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const webConfigFile = join(folder, 'web.yml');
  const policy = "default-src 'none'";
  writeFileSync(webConfigFile, `http_server_config:\n  headers:\n    Content-Security-Policy: ${policy}\n`);
  const { url } = await serve(t, { webConfigFile });
  assert.equal((await fetch(url)).headers.get('content-security-policy'), policy);
});
