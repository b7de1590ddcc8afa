import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { test } from 'node:test';
import { events } from '../../src/cli/events.ts';
import { UsageError } from '../../src/core/errors.ts';
import { FAMILIES, familyFiles } from '../helpers/cpu_families.ts';
import { tree } from '../helpers/scrape.ts';

const DEVICES = 'sys/bus/event_source/devices';
const FIXTURE = {
  ...familyFiles(FAMILIES.ice_lake, DEVICES),
  [`${DEVICES}/intel_pt/type`]: '9\n',
  'sys/devices/system/cpu/online': '0-3\n',
  'sys/fs/cgroup/cgroup.procs': '',
};

test('what an Ice Lake server has, for people', (t) => {
  const root = tree(t, FIXTURE);
  mkdirSync(`${root}/sys/fs/cgroup/kubepods.slice/pod1`, { recursive: true });
  const text = events([`--path.sysfs=${root}/sys`]);
  assert.match(text, /^ {2}cpu +counts for each CPU, 4 open files for an event\n +events: cpu\/branch-instructions\//m);
  assert.match(text, /^ {2}power +counts for a package or a part of it, 2 open files/m);
  assert.match(text, /^ {2}intel_pt +not for events$/m);
  assert.match(text, /^ {2}topdown +cpu\/slots\/, cpu\/topdown-retiring\//m);
  assert.match(text, /^ {2}membw +uncore_imc\/cas_count_read\/, uncore_imc\/cas_count_write\/$/m);
  assert.match(text, /\/sys\/fs\/cgroup +\/kubepods.slice, \/kubepods.slice\/pod1$/m);
});

test('and for machines', (t) => {
  const root = tree(t, FIXTURE);
  const report = JSON.parse(events(['--json', `--path.sysfs=${root}/sys`]));
  const names = report.sources.map(({ pmu, scope }: { pmu: string; scope: string }) => `${pmu} ${scope}`);
  assert.deepEqual(names, [
    'cpu cpu',
    'intel_pt nothing',
    'msr cpu',
    'power package',
    'uncore_imc_0 package',
    'uncore_imc_1 package',
  ]);
  assert.deepEqual(report.presets[0], { preset: 'ipc', counts: ['CpuCycles', 'CpuInstr'] });
});

test('a machine that has nothing says so', (t) => {
  const root = tree(t, { 'sys/devices/system/cpu/online': '0\n' });
  const text = events([`--path.sysfs=${root}/sys`]);
  assert.match(text, /^ {2}ipc +nothing that this machine names$/m);
  assert.match(text, /^ {2}none +no tree of them that perf events know$/m);
});

test('--help says what it does, an unknown flag is an error of usage', () => {
  assert.match(events(['--help']), /^usage: keyhole events/);
  assert.throws(() => events(['--jason']), UsageError);
});
