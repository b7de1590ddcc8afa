// Wrong usage, as an operator meets it: one line, status 1, no stack.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { freePort, KEYHOLE, startExporter } from '../helpers/exporter.ts';

const [program, ...before] = KEYHOLE as [string, ...string[]];
const run = (...args: string[]) => spawnSync(program, [...before, ...args], { encoding: 'utf8', timeout: 10_000 });

const folder = mkdtempSync(join(tmpdir(), 'keyhole-usage-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const both = (name: string): string[] => [`--collector.${name}-include=a`, `--collector.${name}-exclude=b`];

for (const [args, why] of [
  [['foo'], /unexpected foo, try --help$/],
  [['doctr'], /unexpected doctr, did you mean 'doctor'\?$/],
  [['--bogus'], /unknown long flag '--bogus'/],
  [['--collector.cpu=false'], /unexpected false/],
  [['--path.procfs=/nope'], /--path\.procfs: \/nope is not a directory/],
  [['--path.sysfs=/etc/passwd'], /--path\.sysfs: \/etc\/passwd is not a directory/],
  [['--log.level=loud'], /--log\.level: enum value must be one of/],
  [['--collector.netdev.device-include=('], /error parsing regexp/],
  [both('netdev.device'), /netdev/],
  [both('diskstats.device'), /diskstats/],
  [both('filesystem.mount-points'), /filesystem/],
  [['--web.telemetry-path=metrics'], /does not begin with a slash/],
  [['--web.listen-address=9100'], /missing port/],
  [['--web.listen-address=vsock://:9100'], /vsock/],
  [['--web.listen-address=192.0.2.1:0'], /no such address/],
  [['--web.systemd-socket'], /no socket activation file descriptors found/],
  [['--web.config.file=/nope.yml'], /\/nope\.yml: ENOENT/],
  [[`--web.config.file=${file('keys.yml', 'a: 1')}`], /unknown key "a"/],
  [[`--web.config.file=${file('tls.yml', 'tls_server_config: {cert: x, key: y}')}`], /tls_server_config: /],
  [[`@${file('args', '--bogus\n')}`], /unknown long flag '--bogus', try --help$/],
  [['--colector.perf'], /unknown long flag '--colector\.perf', did you mean '--collector\.perf'\?$/],
] as const)
  test(`${args.join(' ').replaceAll(folder, '…')} is refused in one line`, () => {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 1);
    assert.equal(stdout, '');
    const told = stderr.split('\n').filter((line) => !line.startsWith('time='));
    assert.equal(told.length, 2, stderr);
    assert.match(told[0] as string, /^keyhole: error: /);
    assert.match(told[0] as string, why);
  });

test('an address that is taken is told', async () => {
  const port = await freePort();
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  const child = spawn(program, [...before, `--web.listen-address=127.0.0.1:${port}`]);
  let told = '';
  child.stderr.on('data', (chunk) => {
    told += chunk;
  });
  const [status] = (await once(child, 'close')) as [number];
  server.close();
  assert.equal(status, 1);
  assert.match(told, /^keyhole: error: listen on 127\.0\.0\.1:\d+: address already in use$/m);
});

test('the program goes by the name it was started by', { skip: before.length > 0 && 'needs dist/keyhole' }, () => {
  const path = join(folder, 'node_exporter');
  symlinkSync(program, path);
  const { stderr } = spawnSync(path, ['foo'], { encoding: 'utf8' });
  assert.equal(stderr, 'node_exporter: error: unexpected foo, try --help\n');
  assert.match(spawnSync(path, ['-h'], { encoding: 'utf8' }).stdout, /^usage: node_exporter /);
});

for (const [flag, start] of [
  ['--help', /^usage: keyhole /],
  ['--version', /^keyhole, version /],
  ['--help-man', /^\.TH keyhole 1/],
  ['--completion-script-bash', /^_keyhole_complete\(\)/],
] as const)
  test(`${flag} writes to stdout, with status 0`, () => {
    const { status, stdout, stderr } = run(flag, '--bogus');
    assert.equal(status, 0);
    assert.equal(stderr, '');
    assert.match(stdout, start);
  });

test('what it says at start is logfmt, or JSON, and names the collectors', async () => {
  for (const format of ['logfmt', 'json']) {
    const exporter = await startExporter(KEYHOLE, [
      `--log.format=${format}`,
      '--collector.disable-defaults',
      '--collector.loadavg',
    ]);
    await exporter.stop();
    const lines = exporter.log().trim().split('\n');
    const messages = lines.map((line) =>
      format === 'json'
        ? (JSON.parse(line) as { msg: string }).msg
        : (/^time=\S+ level=[A-Z]+ source=\w+\.ts msg=(?:"([^"]*)"|(\S+))/.exec(line)?.slice(1).join('') ?? line),
    );
    assert.equal(messages[0], 'Starting keyhole');
    assert.ok(messages.indexOf('loadavg') > messages.indexOf('Enabled collectors'));
    assert.ok(messages.includes('Listening on'));
    assert.equal(messages.at(-1), 'Ending');
  }
});

test('SIGUSR1 opens no debugger', {
  skip: before.length > 0 && 'the sources run with a debugger at hand',
}, async () => {
  const exporter = await startExporter(KEYHOLE, ['--collector.disable-defaults', '--collector.loadavg']);
  exporter.child.kill('SIGUSR1');
  await exporter.scrape();
  await exporter.scrape();
  await exporter.stop();
  assert.doesNotMatch(exporter.log(), /Debugger/);
});

test('every command runs on this machine', () => {
  const pattern = '--collector.arp.device-exclude=^$';
  const collectors = run('collectors', '--collector.disable-defaults', '--collector.loadavg', pattern);
  assert.match(collectors.stdout, /^loadavg +ok +3 /m);
  const metric = run('explain', 'node_memory_MemTotal_bytes');
  assert.match(metric.stdout, /^stands at +\/proc\/meminfo, line 1, column \d+$/m);
  const check = run('check', '--collector.textfile.directory=/nope', pattern);
  assert.equal(check.status, 1);
  assert.match(check.stdout, /^PROBLEM text files +\/nope: there is no such folder$/m);
  assert.match(run('doctor').stdout, /^Perf counters /);
});

const skipNamespace =
  before.length > 0
    ? 'needs dist/keyhole'
    : process.getuid?.() === 0
      ? false
      : 'needs root, for a namespace of processes';

test('doctor takes the flags of the exporter that runs', { skip: skipNamespace }, () => {
  // In a namespace of its own: others may run on this machine.
  const script = `${program} --collector.textfile.directory=/nope --collector.arp.device-exclude=^$ --web.listen-address=127.0.0.1:0 2>${folder}/log &
    until grep -q Listening ${folder}/log; do sleep 0.05; done
    ${program} doctor`;
  const argv = ['--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', script];
  const { stdout, status } = spawnSync('unshare', argv, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 1);
  assert.match(
    stdout,
    /^ok +exporter +process \d+.*, whose flags are taken: --collector\.textfile\.directory=\/nope --collector\.arp/m,
  );
  assert.match(stdout, /^PROBLEM text files +\/nope: there is no such folder$/m);
});
