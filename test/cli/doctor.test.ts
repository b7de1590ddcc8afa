import assert from 'node:assert/strict';
import process from 'node:process';
import { test } from 'node:test';
import { doctor } from '../../src/cli/doctor.ts';
import { UsageError } from '../../src/core/errors.ts';

async function run(...argv: readonly string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const status = await doctor(argv, {
    env: process.env,
    write: (part) => {
      text += part;
    },
  });
  return { status, text };
}

test('the text, the JSON and the status agree on this machine, whatever it is', async () => {
  const { status, text } = await run();
  const json = await run('--json');
  const { works, findings, facts } = JSON.parse(json.text);
  assert.equal(json.status, status);
  assert.equal(status, works ? 0 : 1);
  assert.match(text, works ? /^Perf counters work/ : /^Perf counters do not work: /);
  assert.equal(works, facts.tried.software === undefined);
  for (const finding of findings) assert.ok(text.includes(`${finding.topic.padEnd(28)}${finding.text}`), finding.topic);
  assert.match(facts.permitted, /^0x[0-9a-f]+$/);
});

test('--help tells what it does', async () => {
  const { status, text } = await run('--help');
  assert.equal(status, 0);
  assert.match(text, /^usage: keyhole doctor/);
});

test('an unknown flag is an error of usage', () => assert.rejects(run('--jason'), UsageError));
