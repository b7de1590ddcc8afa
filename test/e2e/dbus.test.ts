// A real dbus-daemon, with systemd played by python-dbusmock at 5,000 units; and buses that are ill in every way.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../../src/core/errors.ts';
import { message, rows, serve, values, variant } from '../helpers/bus.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';

const UNITS = 5000;
const CPU_MS_MAX = 300;
const MOCK = new URL('../helpers/systemd_mock.py', import.meta.url).pathname;

const skip = loudly(notRoot() || lacksPackages('dbus', 'dbus-bin', 'python3-dbusmock'));

/** As the system bus: with its limits, which are tighter than those of a session's. */
const configOf = (
  path: string,
): string => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=${path}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
`;

/** How many sockets a process holds. */
const socketsOf = (pid: number): number =>
  readdirSync(`/proc/${pid}/fd`).filter((fd) =>
    optional(() => readlinkSync(`/proc/${pid}/fd/${fd}`))?.startsWith('socket:'),
  ).length;

/** What a process has used of the CPU, user and system, in milliseconds: clock ticks of 10. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

const only = (...flags: readonly string[]): readonly string[] => ['--collector.disable-defaults', ...flags];
const success = async (exporter: Exporter, collector: string): Promise<number | undefined> =>
  parseExposition(await exporter.scrape())
    .get('node_scrape_collector_success')
    ?.samples.get(`{collector="${collector}"}`);

describe('systemd on a bus, with 5,000 units', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-dbus-'));
  // For the user who serves.
  chmodSync(folder, 0o755);
  const path = join(folder, 'bus');
  const env = { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${path}` };
  const running: ChildProcess[] = [];
  let exporter: Exporter;

  before(async () => {
    writeFileSync(join(folder, 'bus.conf'), configOf(path));
    running.push(spawn('dbus-daemon', [`--config-file=${join(folder, 'bus.conf')}`, '--nofork'], { stdio: 'ignore' }));
    const until = async (name: string): Promise<void> => {
      const ask = [`--bus=unix:path=${path}`, '--print-reply', '--dest=org.freedesktop.DBus', '/'];
      const isThere = (): boolean => {
        const args = [...ask, 'org.freedesktop.DBus.GetNameOwner', `string:${name}`];
        return spawnSync('dbus-send', args, { timeout: 5000 }).status === 0;
      };
      for (let tries = 0; tries < 400 && !isThere(); tries += 1) await delay(50);
      assert.ok(isThere(), `${name} is not on the bus`);
    };
    await until('org.freedesktop.DBus');
    const mock = ['-m', 'dbusmock', '--system', '-t', MOCK, '-p', JSON.stringify({ units: String(UNITS) })];
    running.push(spawn('/usr/bin/python3', mock, { env, stdio: 'ignore' }));
    await until('org.freedesktop.systemd1');
    exporter = await startExporter(undefined, only('--collector.systemd', '--collector.timeout=30s'), env);
  });
  after(async () => {
    await exporter?.stop();
    for (const each of running.reverse()) each.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('all units are there, for little of the CPU', async (t) => {
    const pid = exporter.child.pid as number;
    for (let warmUp = 0; warmUp < 5; warmUp += 1) assert.equal(await success(exporter, 'systemd'), 1, exporter.log());
    const costs: number[] = [];
    let body = '';
    for (let round = 0; round < 11; round += 1) {
      const cpuBefore = cpuMs(pid);
      body = await exporter.scrape();
      costs.push(cpuMs(pid) - cpuBefore);
    }
    costs.sort((a, b) => a - b);
    // What else the machine does only adds to it.
    const [least = Number.NaN] = costs;
    t.diagnostic(`${least} ms of CPU for a scrape, ${costs[5]} at the median, ${costs.at(-1)} at most`);
    const families = parseExposition(body);
    const samples = (name: string) => families.get(`node_systemd_${name}`)?.samples ?? new Map<string, number>();
    const [notFound, mounts] = [UNITS / 100, 1];
    assert.equal(samples('unit_state').size, (UNITS - notFound - mounts) * 5);
    assert.equal(samples('units').get('{state="failed"}'), UNITS / 10);
    assert.equal(samples('units').get('{state="active"}'), (UNITS / 10) * 9);
    assert.equal(samples('unit_state').get('{name="worker-12@a\\\\x2db.service",state="active",type="notify"}'), 1);
    assert.equal(samples('socket_accepted_connections_total').get('{name="web.socket"}'), 17);
    assert.equal(samples('timer_last_trigger_seconds').get('{name="daily.timer"}'), 1_650_000_000.5);
    assert.ok(least < CPU_MS_MAX, `${least} ms of CPU for a scrape`);
  });

  test('no descriptor is left after 1,000 scrapes', async () => {
    const few = await startExporter(
      undefined,
      only('--collector.systemd', '--collector.systemd.unit-include=.*[.]timer', '--collector.logind'),
      env,
    );
    try {
      const held = (): number => socketsOf(few.child.pid as number);
      await few.scrape('?collect[]=logind');
      const first = held();
      // Nobody is logind on this bus, which is answered as fast as can be.
      for (let scrapes = 0; scrapes < 990; scrapes += 1) await few.scrape('?collect[]=logind');
      for (let scrapes = 0; scrapes < 10; scrapes += 1) assert.equal(await success(few, 'systemd'), 1, few.log());
      for (let tries = 0; held() > first && tries < 100; tries += 1) await delay(20);
      assert.ok(held() <= first, `${held()} descriptors, ${first} at first`);
    } finally {
      await few.stop();
    }
  });
});

const GARBAGE = Buffer.from(Array.from({ length: 1 << 16 }, (_, i) => (i * 167 + 13) % 256));
const units = rows('ssssssouso', [['a.service', 'A', 'loaded', 'active', 'running', '', '/a', 0, '', '/']]);
const answerOf = (member: string) => (member === 'ListUnits' ? units : variant('s', '252'));

/** Each takes its connection as ill as its name says. */
const ILL: Readonly<Record<string, (socket: Socket) => void>> = {
  'answers after 30 s': (socket) =>
    serve(socket, ({ serial, member }) => {
      setTimeout(() => socket.write(message({ type: 2, replySerial: serial }, answerOf(member))), 30_000).unref();
      return undefined;
    }),
  'says nothing': () => {},
  'closes halfway': (socket) =>
    serve(socket, ({ serial, args, member }) => {
      if (args[1] !== 'Type') return answerOf(member);
      socket.end(message({ type: 2, replySerial: serial }, variant('s', 'simple')).subarray(0, 30));
      return undefined;
    }),
  'sends garbage': (socket) => serve(socket, () => void socket.write(GARBAGE)),
  'sends garbage at once': (socket) => void socket.write(GARBAGE),
  'sends empty structures': (socket) =>
    serve(socket, () => ({ signature: 'a()', bytes: Buffer.from('08000000000000000000000000000000', 'hex') })),
  'sends another type': (socket) => serve(socket, () => values('s', 'x')),
};

describe('a bus that is ill', { skip }, () => {
  const TIMEOUT_MS = 500;
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-ill-'));
  // For the user who serves.
  chmodSync(folder, 0o755);
  const path = join(folder, 'bus');
  let server: Server;
  let exporter: Exporter;
  const sockets = new Set<Socket>();
  let behave: (socket: Socket) => void = () => {};

  before(async () => {
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {}).once('close', () => sockets.delete(socket));
      behave(socket);
      socket.resume();
    }).listen(path);
    await once(server, 'listening');
    const flags = ['--collector.systemd', '--collector.logind', `--collector.timeout=${TIMEOUT_MS}ms`];
    exporter = await startExporter(undefined, flags, { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${path}` });
  });
  after(async () => {
    await exporter?.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [what, ill] of Object.entries(ILL))
    test(`one that ${what} ends within the deadline, and harms nothing else`, async () => {
      behave = ill;
      const startedAt = performance.now();
      const families = parseExposition(await exporter.scrape());
      const tookMs = performance.now() - startedAt;
      const ok = families.get('node_scrape_collector_success')?.samples;
      for (const collector of ['systemd', 'logind']) assert.equal(ok?.get(`{collector="${collector}"}`), 0, collector);
      for (const collector of ['cpu', 'meminfo', 'time'])
        assert.equal(ok?.get(`{collector="${collector}"}`), 1, collector);
      assert.ok(tookMs < TIMEOUT_MS + 5000, `${tookMs} ms`);
      assert.equal(exporter.child.exitCode, null, exporter.log());
    });

  test('no connection is left of any of them', async () => {
    for (let tries = 0; sockets.size > 0 && tries < 250; tries += 1) await delay(20);
    assert.equal(sockets.size, 0);
    // Others are of the scrapes themselves, which fetch keeps open.
    const held = socketsOf(exporter.child.pid as number);
    assert.ok(held < 10, `${held} sockets`);
  });
});
