import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { check } from '../../src/cli/check.ts';
import { collectorsCommand } from '../../src/cli/collectors.ts';
import { UsageError } from '../../src/core/errors.ts';
import { OVER_FIXTURES, runCommand } from '../helpers/program.ts';

test('every collector is run, and those that are off are named', async () => {
  const { status, text } = await runCommand(
    collectorsCommand,
    ...OVER_FIXTURES,
    '--collector.disable-defaults',
    '--collector.loadavg',
    '--collector.dmi',
  );
  assert.equal(status, 0);
  assert.match(text, /^COLLECTOR {2}STATE {2,}SERIES {2}TIME +WHY\n/);
  assert.match(text, /^loadavg {4}ok +3 +\d+\.\d\d ms$/m);
  assert.match(text, /^2 collectors, \d+\.\d\d ms in all\.$/m);
  assert.match(text, /^Switched off .*: arp, bcache, /m);
});

test('a collector that gave nothing has the reason, and one that left something out too', async () => {
  const argv = ['--path.sysfs=/dev', '--collector.disable-defaults', '--collector.bcache', '--collector.textfile'];
  const { status, text } = await runCommand(collectorsCommand, ...argv, '--collector.textfile.directory=/nowhere');
  assert.equal(status, 0);
  assert.match(text, /^textfile +ok in part +1 .* \/nowhere: ENOENT.*$/m);
  assert.match(text, /^bcache +ok +0 .* there is no \/dev\/fs\/bcache$/m);
});

test('a folder of devices without any, and one whose devices lack the files, are told apart', async (t) => {
  const sysfs = mkdtempSync(join(tmpdir(), 'keyhole-devices-'));
  t.after(() => rmSync(sysfs, { recursive: true }));
  for (const folder of ['class/watchdog', 'devices/system/cpu/cpu0', 'devices/system/cpu/cpu1'])
    mkdirSync(join(sysfs, folder), { recursive: true });
  const argv = [`--path.sysfs=${sysfs}`, '--collector.disable-defaults', '--collector.watchdog', '--collector.cpufreq'];
  const { text } = await runCommand(collectorsCommand, ...argv);
  assert.match(text, /^watchdog +ok +0 .* no device in \S+\/class\/watchdog$/m);
  assert.match(text, /^cpufreq +ok +0 .* no device in \S+\/devices\/system\/cpu has the files$/m);
});

test('a collector that fails is the status, and JSON has the same', async () => {
  const argv = ['--path.procfs=/sys', '--collector.disable-defaults', '--collector.loadavg', '--json'];
  const { status, text } = await runCommand(collectorsCommand, ...argv);
  assert.equal(status, 1);
  const { collectors, disabled } = JSON.parse(text);
  assert.equal(collectors.length, 1);
  assert.equal(collectors[0].state, 'failed');
  assert.match(collectors[0].error, /ENOENT/);
  assert.ok(disabled.includes('cpu'));
});

for (const command of [collectorsCommand, check])
  test('--help says what it does', async () => {
    const { status, text } = await runCommand(command, '--help');
    assert.equal(status, 0);
    assert.match(text, /^usage: keyhole (collectors|check) /);
  });

for (const [flag, why] of [
  ['--web.listen-address=nonsense', /missing port/],
  ['--web.listen-address=127.1:9100', /no such host/],
  ['--web.listen-address=:99999', /invalid port/],
  ['--web.listen-address=foo:bar', /no such port number/],
  ['--web.listen-address=vsock://1:2', /vsock/],
  ['--web.telemetry-path=metrics', /does not begin with a slash/],
  ['--privilege.user=nobody there', /etc.passwd has no "nobody there"/],
] as const)
  test(`check refuses ${flag} as the server does`, async () => {
    const argv = [...OVER_FIXTURES, '--collector.disable-defaults', flag];
    await assert.rejects(runCommand(check, ...argv), (error) => error instanceof UsageError && why.test(error.message));
  });

test('check passes over what the server does not look at', async () => {
  const argv = ['--web.systemd-socket', '--web.listen-address=x', '--privilege.mode=none', '--privilege.user=x y'];
  const { status, text } = await runCommand(check, ...OVER_FIXTURES, '--collector.disable-defaults', ...argv);
  assert.equal(status, 0);
  assert.match(text, /^note {4}addresses +systemd has to hand sockets over at the start$/m);
});

test('check finds what the server could not use', async () => {
  const good = await runCommand(check, ...OVER_FIXTURES, '--collector.disable-defaults', '--collector.cpu');
  assert.equal(good.status, 0);
  assert.match(good.text, /^ok {6}flags +can be used; 1 collectors are switched on$/m);
  assert.match(good.text, /^note {4}addresses +:9100: not tried, another program may listen there$/m);
  const bad = await runCommand(check, '--collector.textfile.directory=/nope');
  assert.equal(bad.status, 1);
  assert.match(bad.text, /^PROBLEM text files +\/nope: there is no such folder$/m);
  await assert.rejects(runCommand(check, '--colector.cpu'), UsageError);
  const both = ['--collector.netdev.device-include=a', '--collector.netdev.device-exclude=b'];
  await assert.rejects(runCommand(check, ...both), UsageError);
});
