import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import { doctor, doctorText, findingsOfUnit, judgeBy } from '../../src/cli/doctor.ts';
import { runningFinding, textfileFindings, webConfigFinding } from '../../src/cli/findings.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { CAP_PERFMON } from '../../src/perf/access.ts';
import { diagnose, type PerfSituation } from '../../src/privilege/diagnose.ts';
import { FAMILIES, familyFiles } from '../helpers/cpu_families.ts';
import { programThat, runCommand } from '../helpers/program.ts';
import { tree } from '../helpers/scrape.ts';

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
  assert.equal(
    await by('--path.procfs=/nowhere'),
    'no Keyhole runs here, so doctor uses the flags of its own command line',
  );
  assert.equal(
    await by('--collector.of-tomorrow'),
    'no Keyhole runs here, so doctor uses the flags of its own command line',
  );
});

test('--help says what it does', async () => {
  const { status, text } = await runCommand(doctor, '--help');
  assert.equal(status, 0);
  assert.match(text, /^usage: keyhole doctor/);
});

test('an unknown flag is an error of usage', () => assert.rejects(runCommand(doctor, '--jason'), UsageError));

const program = programThat(() => {});

test('flags of its own go before those of the exporter that runs', async () => {
  const { diagnosis } = await judgeBy(['--log.level=debug'], program, { pid: 7, argv: [], unit: '' });
  assert.equal(
    diagnosis.findings.find(({ topic }) => topic === 'exporter')?.text,
    'no Keyhole runs here, so doctor uses the flags of its own command line',
  );
});

test('systemd is asked for the unit of the exporter, where there is one', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-'));
  const { PATH } = process.env;
  t.after(() => {
    process.env['PATH'] = PATH;
    rmSync(folder, { recursive: true });
  });
  process.env['PATH'] = folder;
  const inUnit = { pid: 40, argv: [], unit: 'keyhole.service' };
  assert.deepEqual(findingsOfUnit(inUnit), [], 'no systemctl');
  const script = '#!/bin/sh\n[ "$1 $2" = "show keyhole.service" ] && echo ProtectHome=yes && echo PrivateNetwork=no\n';
  writeFileSync(join(folder, 'systemctl'), script, { mode: 0o755 });
  assert.match(findingsOfUnit(inUnit)[0]?.text ?? '', /^keyhole\.service has ProtectHome=yes, which hides/);
  assert.deepEqual(findingsOfUnit({ ...inUnit, unit: 'other.service' }), [], 'systemctl fails');
  assert.deepEqual(findingsOfUnit({ ...inUnit, unit: 'session-1.scope' }), []);
  assert.deepEqual(findingsOfUnit(undefined), []);
});

test('open files are planned by the flags of the perf collector', async (t) => {
  const root = tree(t, {
    'devices/system/cpu/online': '0-3\n',
    ...Object.fromEntries(['', 'a/', 'a/b/', 'a/b/c/', 'd/'].map((path) => [`fs/cgroup/${path}cgroup.procs`, ''])),
    ...familyFiles(FAMILIES.skylake, 'bus/event_source/devices'),
  });
  const facts = async (...argv: string[]) =>
    (await judgeBy([`--path.sysfs=${root}`, ...argv], program, undefined)).facts;
  const SERVER = 192;
  for (const [argv, needed, cgroups] of [
    [[], 4 * 30, 4],
    [['--collector.perf.cpus=1,2'], 2 * 30, 4],
    [['--collector.perf.presets=ipc,energy', '--collector.perf.disable-software-profilers'], 4 * 2 + 5, 4],
    [['--collector.perf.events=msr/tsc/,nosuch'], 4 * 31, 4],
    [['--collector.perf.cgroup-include=^/a'], 4 * 30 + 3 * 4 * 2, 3],
    [['--collector.perf.cgroup-include=.', '--collector.perf.cgroup-depth=1'], 4 * 30 + 2 * 4 * 2, 2],
    [['--collector.perf.cgroup-include=.', '--collector.perf.cgroup-max=1'], 4 * 30 + 4 * 2, 4],
    [['--collector.perf.cgroup-include=^/d', '--collector.perf.cgroup-presets=cache,tlb'], 4 * 30 + 4 * (2 + 5 + 4), 1],
    [['--collector.perf.cgroup-include=^/d', '--collector.perf.cgroup-events=cycles'], 4 * 30 + 4, 1],
  ] as const) {
    const found = await facts(...argv);
    assert.equal(found.filesNeeded - SERVER, needed, argv.join(' '));
    assert.equal(found.cgroups, cgroups, argv.join(' '));
  }
  assert.ok((await facts()).presets.includes('frequency'));
});

/** The machine of the README: a virtual one, where the file capability was forgotten. */
const forgotten: PerfSituation = {
  access: {
    effective: 0n,
    bounding: 1n << BigInt(CAP_PERFMON),
    noNewPrivs: false,
    seccomp: 0,
    userNamespace: false,
    paranoid: 2,
    release: '6.12.48',
    isPatched: false,
    hasCorePmu: false,
    filesMax: 20000,
  },
  permitted: 0n,
  ambient: 0n,
  uid: 65534,
  setting: 'other',
  executable: '/usr/local/bin/keyhole',
  fileCapability: '',
  isNosuid: false,
  securityModules: ['capability', 'landlock', 'yama'],
  confinedBy: '',
  pmus: ['breakpoint', 'msr', 'software', 'tracepoint', 'uprobe'],
  corePmus: [],
  isVirtual: true,
  cpusOnline: 2,
  filesHardMax: 20000,
  filesNeeded: 252,
  filesCounters: 60,
  filesOfCgroup: 4,
  tracefs: '',
  isTracefsReadable: false,
  cgroupTree: '/sys/fs/cgroup',
  cgroups: 61,
  cgroupDepth: 4,
  cgroupsAsked: undefined,
  presets: [],
  triedCgroup: 'EACCES',
  tried: { software: 'EACCES', hardware: 'EACCES' },
};

test('the README shows what it says', async () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, shown] = /^```\n(Perf counters .*?)^```$/ms.exec(readme) ?? [];
  const parsed = parseFlags([], program.declared.flags);
  const diagnosis = diagnose(forgotten);
  const others = [
    runningFinding(undefined),
    await webConfigFinding(program, parsed),
    ...(await textfileFindings(program, parsed)),
    { topic: 'energy (rapl)', level: 'note', text: 'no /sys/class/powercap' } as const,
  ];
  assert.equal(shown, doctorText({ ...diagnosis, findings: [...diagnosis.findings, ...others] }));
});
