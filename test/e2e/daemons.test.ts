// A real chronyd and a real supervisord on the loopback: what Keyhole says of them beside what chronyc, supervisorctl and Debian's
// node_exporter say.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, freePort, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';

const REFERENCE = ['/usr/bin/prometheus-node-exporter'];

/** What of a test has to end with it. */
const running = new Set<ChildProcess>();
function start(program: string, ...args: readonly string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
async function stop(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || !running.has(child)) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const late = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(late);
}

async function scraped(
  command: readonly string[],
  flags: readonly string[],
): Promise<ReadonlyMap<string, ScrapedFamily>> {
  const exporter = await startExporter(command, ['--collector.disable-defaults', ...flags]);
  try {
    return parseExposition(await exporter.scrape());
  } finally {
    await exporter.stop();
  }
}

const descriptorsOf = ({ child }: Exporter): number => readdirSync(`/proc/${child.pid}/fd`).length;

/** Scrapes a thousand times and answers how many descriptors there are more than after the first. */
async function leftAfterThousand(flags: readonly string[]): Promise<number> {
  const exporter = await startExporter(KEYHOLE, ['--collector.disable-defaults', ...flags]);
  try {
    await exporter.scrape();
    const first = descriptorsOf(exporter);
    for (let scrapes = 0; scrapes < 1000; scrapes += 1) await exporter.scrape();
    for (let tries = 0; descriptorsOf(exporter) > first && tries < 100; tries += 1) await delay(20);
    return descriptorsOf(exporter) - first;
  } finally {
    await exporter.stop();
  }
}

describe('chronyd', { skip: loudly(notRoot() || lacksPackages('chrony', 'prometheus-node-exporter')) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-chrony-'));
  let chronyd: ChildProcess;
  let flags: readonly string[];

  before(async () => {
    const port = await freePort();
    const lines = [
      'local stratum 5',
      `port ${port}`,
      'bindaddress 127.0.0.1',
      'allow 127.0.0.0/8',
      'cmdport 0',
      `bindcmdaddress ${join(folder, 'command')}`,
      `pidfile ${join(folder, 'pid')}`,
    ];
    writeFileSync(join(folder, 'chrony.conf'), `${lines.join('\n')}\n`);
    // Without control of the machine's clock.
    chronyd = start('/usr/sbin/chronyd', '-x', '-d', '-u', 'root', '-f', join(folder, 'chrony.conf'));
    flags = ['--collector.ntp', `--collector.ntp.server-port=${port}`];
    const tracking = () =>
      spawnSync('chronyc', ['-h', join(folder, 'command'), 'tracking'], { encoding: 'utf8', timeout: 5000 });
    for (let tries = 0; tries < 200 && !/Stratum +: 5/.test(tracking().stdout); tries += 1) await delay(50);
    assert.match(tracking().stdout, /Stratum +: 5/);
  });
  after(async () => {
    await stop(chronyd);
    rmSync(folder, { recursive: true, force: true });
  });

  test("its clock is told, and is sane: it is the machine's own", async (t) => {
    // All other collectors run too: the time of the reply is when it came, not when there was time for it.
    const families = await (async () => {
      const exporter = await startExporter(KEYHOLE, flags);
      try {
        await exporter.scrape();
        return parseExposition(await exporter.scrape());
      } finally {
        await exporter.stop();
      }
    })();
    const value = (name: string): number => families.get(`node_ntp_${name}`)?.samples.get('') ?? Number.NaN;
    t.diagnostic(`offset ${value('offset_seconds')} s, round trip ${value('rtt_seconds')} s`);
    assert.equal(value('stratum'), 5);
    assert.equal(value('leap'), 0);
    assert.equal(value('sanity'), 1);
    assert.ok(Math.abs(value('offset_seconds')) < 0.005);
    assert.ok(value('rtt_seconds') > 0 && value('rtt_seconds') < 0.01);
    assert.ok(Math.abs(value('reference_timestamp_seconds') - Date.now() / 1000) < 60);
  });

  test("Debian's node_exporter says the same of it", async () => {
    const [ours, theirs] = [await scraped(KEYHOLE, flags), await scraped(REFERENCE, flags)];
    for (const [name, { type, samples }] of theirs) {
      if (!name.startsWith('node_ntp_')) continue;
      assert.equal(ours.get(name)?.type, type, name);
      const [mine = Number.NaN, its = Number.NaN] = [ours.get(name)?.samples.get(''), samples.get('')];
      if (/_(leap|stratum|sanity)$/.test(name)) assert.equal(mine, its, name);
      else
        assert.ok(Math.abs(mine - its) < (name.includes('reference') ? 20 : 0.01), `${name}: ${mine}, theirs ${its}`);
    }
    assert.deepEqual(
      [...ours.keys()].filter((name) => name.startsWith('node_ntp_')).sort(),
      [...theirs.keys()].filter((name) => name.startsWith('node_ntp_')).sort(),
    );
  });

  test('no descriptor is left after 1,000 scrapes', async () => assert.ok((await leftAfterThousand(flags)) <= 0));

  test('once it is gone the collector fails, and nothing else', async () => {
    await stop(chronyd);
    const families = await scraped(KEYHOLE, [...flags, '--collector.time']);
    const success = families.get('node_scrape_collector_success')?.samples;
    assert.deepEqual([success?.get('{collector="ntp"}'), success?.get('{collector="time"}')], [0, 1]);
  });
});

describe('supervisord', { skip: loudly(notRoot() || lacksPackages('supervisor', 'prometheus-node-exporter')) }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-supervisor-'));
  const config = join(folder, 'supervisord.conf');
  let supervisord: ChildProcess;
  let tcp: readonly string[];
  const unix = ['--collector.supervisord', `--collector.supervisord.url=unix://${join(folder, 'socket')}`];

  const control = (...args: readonly string[]): string =>
    spawnSync('/usr/bin/python3', ['/usr/bin/supervisorctl', '-c', config, ...args], {
      encoding: 'utf8',
      timeout: 10_000,
    }).stdout;

  before(async () => {
    const port = await freePort();
    tcp = ['--collector.supervisord', `--collector.supervisord.url=http://127.0.0.1:${port}/RPC2`];
    const program = (name: string, ...lines: readonly string[]) => `[program:${name}]\n${lines.join('\n')}\n`;
    writeFileSync(
      config,
      `[unix_http_server]
file=${join(folder, 'socket')}
[inet_http_server]
port=127.0.0.1:${port}
[supervisorctl]
serverurl=unix://${join(folder, 'socket')}
[supervisord]
logfile=${join(folder, 'log')}
pidfile=${join(folder, 'pid')}
childlogdir=${folder}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
${program('sleeper', 'command=sleep 1000')}
${program('ended', "command=sh -c 'exit 3'", 'startsecs=0', 'autorestart=false')}
${program('off', 'command=sleep 1000', 'autostart=false')}
${program('fatal', 'command=/not/there', 'startretries=0')}
${program('pair', 'command=sleep 1000', 'numprocs=2', 'process_name=<&>_%(process_num)d')}`,
    );
    supervisord = start('/usr/bin/python3', '/usr/bin/supervisord', '-n', '-c', config);
    const settled = () => /ended +EXITED/.test(control('status')) && /sleeper +RUNNING/.test(control('status'));
    for (let tries = 0; tries < 100 && !settled(); tries += 1) await delay(100);
    assert.ok(settled(), control('status'));
  });
  after(async () => {
    await stop(supervisord);
    rmSync(folder, { recursive: true, force: true });
  });

  const STATES: Readonly<Record<string, number>> = { STOPPED: 0, RUNNING: 20, EXITED: 100, FATAL: 200 };

  test('its processes are as supervisorctl shows them, over TCP and over a Unix socket', async () => {
    const status = [...control('status').matchAll(/^(?:(\S+):)?(\S+) +([A-Z]+)\b/gm)];
    assert.equal(status.length, 6);
    for (const flags of [tcp, unix]) {
      const families = await scraped(KEYHOLE, flags);
      const samples = (name: string) => families.get(`node_supervisord_${name}`)?.samples ?? new Map<string, number>();
      assert.equal(samples('state').size, 6);
      for (const [, group, name = '', state = ''] of status) {
        const labels = `{group="${group ?? name}",name="${name}"}`;
        assert.equal(samples('state').get(labels), STATES[state], labels);
        assert.equal(samples('up').get(labels), state === 'RUNNING' ? 1 : 0, labels);
        const startedAt = samples('start_time_seconds').get(labels);
        assert.equal(startedAt !== undefined, state === 'RUNNING', labels);
        if (startedAt !== undefined) assert.ok(Math.abs(startedAt - Date.now() / 1000) < 120, labels);
      }
      assert.equal(samples('exit_status').get('{group="ended",name="ended"}'), 3);
    }
  });

  test("Debian's node_exporter says the same of it", async () => {
    const own = (families: ReadonlyMap<string, ScrapedFamily>) =>
      [...families]
        .filter(([name]) => name.startsWith('node_supervisord_'))
        .map(([name, { type, samples }]) => [name, type, [...samples].sort(([a], [b]) => (a < b ? -1 : 1))]);
    assert.deepEqual(own(await scraped(KEYHOLE, tcp)), own(await scraped(REFERENCE, tcp)));
  });

  test('no descriptor is left after 1,000 scrapes', async () => assert.ok((await leftAfterThousand(unix)) <= 0));

  test('a process that is stopped is not up', async () => {
    control('stop', 'sleeper');
    const families = await scraped(KEYHOLE, unix);
    assert.equal(families.get('node_supervisord_up')?.samples.get('{group="sleeper",name="sleeper"}'), 0);
  });
});
