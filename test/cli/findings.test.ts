import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Program, WebConfigFacts } from '../../src/cli/commands.ts';
import {
  raplFinding,
  runningFinding,
  textfileFindings,
  unitFindings,
  webConfigFinding,
} from '../../src/cli/findings.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { OVER_FIXTURES, programThat } from '../helpers/program.ts';
import { FIXTURES } from '../helpers/scrape.ts';

const program = programThat(() => {});
const flags = (...argv: string[]) => parseFlags(argv, program.declared.flags);

for (const [properties, levels, texts] of [
  ['ProtectProc=default\nPrivateNetwork=no\nNoNewPrivileges=no\nAmbientCapabilities=', ['ok'], /hides nothing/],
  ['PrivateNetwork=yes\nProtectHome=tmpfs', ['note', 'note'], /PrivateNetwork=yes, which hides the machine's network/],
  ['NoNewPrivileges=yes\nAmbientCapabilities=', ['note'], /NoNewPrivileges=yes, which hides file capabilities/],
  ['NoNewPrivileges=yes\nAmbientCapabilities=cap_perfmon', ['ok'], /hides nothing/],
  ['', ['ok'], /hides nothing/],
] as const)
  test(`a unit with ${JSON.stringify(properties)}`, () => {
    const found = unitFindings('keyhole.service', properties);
    assert.deepEqual(
      found.map(({ level }) => level),
      levels,
    );
    assert.match(found.map(({ text }) => text).join('\n'), texts);
    for (const { level, change } of found) assert.equal(change === undefined, level === 'ok');
  });

const DAY_MS = 86_400_000;
const facts: WebConfigFacts = {
  tls: true,
  certificateEnds: new Date(Date.now() + 100.5 * DAY_MS),
  users: 1,
  rateLimit: true,
};

for (const [what, answer, level, text] of [
  ['a good one', facts, 'ok', /: TLS, whose certificate ends in 100 days, passwords of 1 user, a rate limit$/],
  [
    'a certificate that ends soon',
    { ...facts, certificateEnds: new Date(Date.now() + 2.5 * DAY_MS) },
    'note',
    /ends in 2 days/,
  ],
  [
    'a certificate that has ended',
    { ...facts, certificateEnds: new Date(0), users: 2 },
    'problem',
    /certificate has ended, passwords of 2 users/,
  ],
  ['plain', { tls: false, users: 0, rateLimit: false }, 'ok', /: no TLS, no passwords$/],
  ['one that cannot be used', new UsageError('/w.yml: ENOENT'), 'problem', /^\/w\.yml: ENOENT$/],
] as const)
  test(`a web configuration: ${what}`, async () => {
    const over: Program = {
      ...program,
      checkWebConfig: async () => {
        if (answer instanceof Error) throw answer;
        return answer;
      },
    };
    const found = await webConfigFinding(over, flags('--web.config.file=/w.yml'));
    assert.equal(found.level, level);
    assert.match(found.text, text);
  });

test('without a web configuration there is nothing to find', async () =>
  assert.match((await webConfigFinding(program, flags())).text, /^none: plain HTTP/));

test('a real web configuration is read with its certificate', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'web.yml');
  const tls = join(FIXTURES, 'tls');
  writeFileSync(file, `tls_server_config:\n  cert_file: ${tls}/server.crt\n  key_file: ${tls}/server.key\n`);
  const { level, text } = await webConfigFinding(program, flags(`--web.config.file=${file}`));
  assert.equal(level, 'ok');
  assert.match(text, /: TLS, whose certificate ends in \d+ days, no passwords$/);
});

test('folders of text files are found by their pattern', async () => {
  const texts = async (pattern: string): Promise<string[]> =>
    (await textfileFindings(program, flags(`--collector.textfile.directory=${pattern}`))).map(
      ({ level, text }) => `${level} ${text.replace(FIXTURES, '')}`,
    );
  assert.deepEqual(await texts(`${FIXTURES}textfile/*`), ['ok textfile/backup: 2 files', 'ok textfile/raid: 1 file']);
  assert.deepEqual(await texts(`${FIXTURES}tls`), ['note tls: no *.prom file']);
  assert.deepEqual(await texts(`${FIXTURES}no[tm]hing`), ['problem no[tm]hing: no folder matches']);
  assert.match((await textfileFindings(program, flags()))[0]?.text ?? '', /^none asked for/);
});

test('energy is readable, absent, or there is no such collector', async () => {
  assert.match((await raplFinding(program, flags(...OVER_FIXTURES), 'other')).text, /^\d+ zones can be read$/);
  const nowhere = await raplFinding(program, flags('--path.sysfs=/proc'), 'other');
  assert.deepEqual([nowhere.level, nowhere.change], ['note', undefined]);
  assert.equal((await raplFinding({ ...program, collectors: [] }, flags(), 'other')).text, 'no rapl collector');
});

test('the exporter that runs is named', () => {
  assert.match(
    runningFinding(undefined).text,
    /^no Keyhole runs here, so doctor uses the flags of its own command line$/,
  );
  assert.equal(
    runningFinding({ pid: 7, argv: ['--collector.perf'], unit: 'keyhole.service' }).text,
    'process 7 in keyhole.service, whose flags are taken: --collector.perf',
  );
  assert.equal(runningFinding({ pid: 7, argv: [], unit: '' }).text, 'process 7, whose flags are taken: none');
});
