// A log that nobody reads: a container runtime that hangs, a pipe into a program that is stopped.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort, KEYHOLE } from '../../helpers/exporter.ts';

/** Each logs some dozens of lines. */
const SCRAPES = 250;

test('lines that nobody reads are given up beyond a megabyte, and counted', async (t) => {
  const port = await freePort();
  const [program, ...rest] = KEYHOLE as [string, ...string[]];
  const args = ['--log.level=debug', '--log.format=json', `--web.listen-address=127.0.0.1:${port}`];
  const child = spawn(program, [...rest, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  child.stderr.pause();
  const scrape = async (): Promise<boolean> => {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      await answer.arrayBuffer();
      return answer.ok;
    } catch {
      return false;
    }
  };
  for (const until = Date.now() + 20_000; !(await scrape()); await delay(50)) assert.ok(Date.now() < until);
  for (let i = 0; i < SCRAPES; i += 1) assert.ok(await scrape());
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr.resume();
  for (const until = Date.now() + 20_000; !text.includes('Log lines were lost'); await delay(20)) {
    assert.ok(Date.now() < until, 'nothing was lost');
    await scrape();
  }
  const lost = Number(/"msg":"Log lines were lost[^}]*"count":(\d+)/.exec(text)?.[1]);
  t.diagnostic(`${(text.length / 1e6).toFixed(1)} MB were kept, ${lost} lines lost`);
  assert.ok(lost > 100 && text.length < 2e6);
  // No line is torn. Node.js' own warnings stand between them where the sources are run.
  const lines = text.split('\n').slice(0, -1);
  for (const line of lines.filter((each) => each.includes('"msg"'))) assert.ok(JSON.parse(line));
  child.stderr.pause();
  for (let i = 0; i < 100; i += 1) await scrape();
  const askedAt = performance.now();
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(performance.now() - askedAt < 5000);
});
