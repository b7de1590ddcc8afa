import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';

const MAIN = new URL('../src/main.ts', import.meta.url).pathname;

for (const [what, rest, status] of [
  ['a full disk', '> /dev/full', 1],
  ['a reader who has gone', '| true; exit $PIPESTATUS', 0],
  ['nobody', '>&-', 0],
] as const)
  for (const command of ['--help', 'explain node_load1'])
    test(`${command} for ${what} ends with status ${status}`, () => {
      const shell = spawnSync('bash', ['-c', `"$0" "$1" ${command} ${rest}`, process.execPath, MAIN]);
      assert.equal(shell.status, status, String(shell.stderr));
    });
