import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { doctor, judgeBy } from '../../src/cli/doctor.ts';
import { UsageError } from '../../src/core/errors.ts';
import { programThat, runCommand } from '../helpers/program.ts';

test('the text, the JSON and the status agree on this machine, whatever it is', async () => {
  const { status, text } = await runCommand(doctor, '--path.sysfs=/sys');
  const json = await runCommand(doctor, '--json', '--path.sysfs=/sys');
  const { works, findings, facts } = JSON.parse(json.text);
  assert.equal(json.status, status);
  assert.equal(status, works ? 0 : 1);
  assert.match(text, works ? /^Perf counters work/ : /^Perf counters do not work: /);
  assert.equal(works, facts.tried.software === undefined);
  for (const finding of findings) assert.ok(text.includes(`${finding.topic.padEnd(28)}${finding.text}`), finding.topic);
  assert.match(facts.permitted, /^0x[0-9a-f]+$/);
  const topics = findings.map(({ topic }: { topic: string }) => topic);
  for (const topic of ['exporter', 'web configuration', 'text files', 'energy (rapl)'])
    assert.ok(topics.includes(topic));
});

test('what cannot be used is a problem, with what to change', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-'));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'texts'));
  writeFileSync(join(folder, 'texts/bad.prom'), 'nonsense {\n');
  const { status, text } = await runCommand(
    doctor,
    `--collector.textfile.directory=${folder}/nowhere`,
    `--collector.textfile.directory=${folder}/texts`,
    `--web.config.file=${folder}/nowhere.yml`,
  );
  assert.equal(status, 1);
  assert.match(text, /^PROBLEM text files {18}\S+\/nowhere: there is no such folder$/m);
  assert.match(text, /^ok {6}text files {18}\S+\/texts: 1 file$/m);
  assert.match(text, /^PROBLEM text files {18}\S+\/texts\/bad\.prom: /m);
  assert.match(text, /^PROBLEM web configuration {11}\S+\/nowhere\.yml: ENOENT/m);
  assert.match(text, /^ {2}- make \S+\/nowhere a folder that this user can read/m);
});

test('an exporter that runs gives its flags, unless what they name is gone or not known', async () => {
  const program = programThat(() => {});
  const by = async (...argv: string[]): Promise<string | undefined> => {
    const { diagnosis } = await judgeBy(['--json'], program, { pid: 7, argv, unit: '' });
    return diagnosis.findings.find(({ topic }) => topic === 'exporter')?.text;
  };
  assert.equal(await by('--no-collector.arp'), 'process 7, whose flags are taken: --no-collector.arp');
  assert.equal(await by('--path.procfs=/nowhere'), 'judged by the flags given to doctor');
  assert.equal(await by('--collector.of-tomorrow'), 'judged by the flags given to doctor');
});

test('--help says what it does', async () => {
  const { status, text } = await runCommand(doctor, '--help');
  assert.equal(status, 0);
  assert.match(text, /^usage: keyhole doctor/);
});

test('an unknown flag is an error of usage', () => assert.rejects(runCommand(doctor, '--jason'), UsageError));
