// A real systemd and a real logind, booted among namespaces: what Keyhole says of them beside what systemctl, loginctl and Debian's
// node_exporter say.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Booted, bootSystemd, descendants } from '../helpers/booted_systemd.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition, type ScrapedFamily } from '../helpers/exposition.ts';
import { lacksController } from '../helpers/hierarchies.ts';

const skip = loudly(
  notRoot() || lacksPackages('systemd', 'dbus', 'util-linux', 'python3-dbus', 'prometheus-node-exporter'),
);

const BARE = '[Unit]\nDefaultDependencies=no\n';
const debian = (name: string): string => readFileSync(`/lib/systemd/system/${name}`, 'utf8');
const service = (...lines: readonly string[]): string => `${BARE}[Service]\n${lines.join('\n')}\n`;

/** An abstract socket: those are the network's, which is not apart. */
const ECHO = `\0keyhole-echo-${process.pid}`;

const UNITS: Readonly<Record<string, string>> = {
  ...Object.fromEntries(['sysinit', 'basic', 'shutdown', 'sockets', 'umount'].map((name) => [`${name}.target`, BARE])),
  'dbus.socket': debian('dbus.socket'),
  'dbus.service': debian('dbus.service'),
  'systemd-logind.service': `[Unit]\nRequires=dbus.socket\n${service('ExecStart=/lib/systemd/systemd-logind', 'BusName=org.freedesktop.login1', 'Type=notify')}`,
  'all.target': `${BARE}Wants=dbus.service systemd-logind.service sleeper.service limited.service failing.service done.service a\\x2db@1.service tick.timer echo.socket run-data.mount\n`,
  'sleeper.service': service('ExecStart=sleep 1000'),
  'limited.service': service('Type=exec', 'ExecStart=sh -c "sleep 1000 & sleep 1000"', 'TasksMax=17'),
  'failing.service': service('ExecStart=false', 'Restart=always', 'RestartSec=0'),
  'done.service': service('Type=oneshot', 'RemainAfterExit=yes', 'ExecStart=true', 'TasksMax=infinity'),
  'a\\x2db@.service': service('Type=forking', 'ExecStart=sh -c "sleep 1000 &"'),
  'tick.timer': `${BARE}[Timer]\nOnActiveSec=0\n`,
  'tick.service': service('Type=oneshot', 'ExecStart=true'),
  'echo.socket': `${BARE}[Socket]\nListenStream=${ECHO.replace('\0', '@')}\nAccept=yes\nMaxConnections=1\n`,
  'echo@.service': service('ExecStart=cat', 'StandardInput=socket'),
  'run-data.mount': `${BARE}[Mount]\nWhat=tmpfs\nWhere=/run/data\nType=tmpfs\n`,
};

const FLAGS = [
  '--collector.disable-defaults',
  '--collector.systemd',
  '--collector.logind',
  '--collector.systemd.enable-task-metrics',
  '--collector.systemd.enable-restarts-metrics',
  '--collector.systemd.enable-start-time-metrics',
  '--collector.systemd.unit-exclude=.*\\.(device|automount)|dev-.*|echo@.*',
];

const PROPERTIES =
  'Id Type NRestarts ActiveState ActiveEnterTimestamp TasksCurrent TasksMax LastTriggerUSec NAccepted NConnections NRefused';

/** A session that lasts as long as the process: logind closes it with the descriptor that it has handed over. */
const SESSION = `import dbus, os, time
manager = dbus.Interface(dbus.SystemBus().get_object("org.freedesktop.login1", "/org/freedesktop/login1"), "org.freedesktop.login1.Manager")
answer = manager.CreateSession(dbus.UInt32(0), dbus.UInt32(os.getpid()), "test", "tty", "user", "", "", dbus.UInt32(0), "pts/9", "", True, "", "elsewhere", dbus.Array([], "(sv)"))
print(answer[0], flush=True)
time.sleep(1000)`;

type Families = ReadonlyMap<string, ScrapedFamily>;

describe('a real systemd', { skip }, () => {
  let systemd: Booted;
  let session: ChildProcess;
  let exporter: Exporter;
  const started: Exporter[] = [];
  const connections: Socket[] = [];

  const start = async (
    command: readonly string[],
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ) => {
    const one = await startExporter(
      systemd.enter('env', ...Object.entries(env).map((pair) => pair.join('=')), ...command),
      flags,
    );
    started.push(one);
    return one;
  };
  const scrape = async (one = exporter): Promise<Families> => parseExposition(await one.scrape());
  const holds = async (what: string, check: () => boolean): Promise<void> => {
    for (let tries = 0; tries < 200 && !check(); tries += 1) await delay(50);
    assert.ok(check(), `${what}\n${systemd.said()}`);
  };
  const show = (name: string): Map<string, string> => {
    const text = systemd.run(
      'systemctl',
      'show',
      '--timestamp=unix',
      `--property=${PROPERTIES.replaceAll(' ', ',')}`,
      '--',
      name,
    );
    return new Map(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]),
    );
  };

  before(async () => {
    systemd = bootSystemd(UNITS);
    const isUp = (): boolean => {
      try {
        return systemd
          .run('systemctl', 'is-active', 'all.target', 'systemd-logind.service', 'dbus.service')
          .includes('active');
      } catch {
        return false;
      }
    };
    await holds('systemd does not come up', isUp);
    await holds('the failing service does not give up', () => show('failing.service').get('ActiveState') === 'failed');
    const [program, ...args] = systemd.enter('/usr/bin/python3', '-c', SESSION) as [string, ...string[]];
    session = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    for (let count = 0; count < 3; count += 1) connections.push(connect(ECHO).on('error', () => {}));
    await holds('the socket refuses nothing', () => show('echo.socket').get('NRefused') === '2');
    await holds('there is no session', () => systemd.run('loginctl', '--no-legend').trim() !== '');
    exporter = await start(KEYHOLE, FLAGS);
  });
  after(async () => {
    await Promise.all(started.map((one) => one.stop('SIGKILL')));
    session?.kill('SIGKILL');
    for (const each of connections) each.destroy();
    await systemd?.stop();
  });

  test('each unit is as systemctl shows it', async (t) => {
    const families = await scrape();
    assert.equal(
      families.get('node_scrape_collector_success')?.samples.get('{collector="systemd"}'),
      1,
      exporter.log(),
    );
    const value = (family: string, name: string): number | undefined =>
      families.get(`node_systemd_${family}`)?.samples.get(`{name="${name.replaceAll('\\', '\\\\')}"}`);
    const states = [...(families.get('node_systemd_unit_state')?.samples ?? [])].map(([labels, is]) => {
      const [, name = '', state, type] = /^\{name="((?:[^"\\]|\\.)*)",state="(\w+)",type="(\w*)"\}$/.exec(labels) ?? [];
      return { name: name.replaceAll('\\\\', '\\'), state, type, is };
    });
    const names = new Set(states.map(({ name }) => name));
    for (const wanted of [
      'sleeper.service',
      'limited.service',
      'failing.service',
      'a\\x2db@1.service',
      'tick.timer',
      'echo.socket',
      'run-data.mount',
    ])
      assert.ok(names.has(wanted), `${wanted} is missing in ${[...names]}`);
    for (const name of names) {
      const shown = show(name);
      const number = (property: string): number | undefined => {
        const text = shown.get(property)?.replace(/^@/, '');
        if (text === undefined || text === 'infinity' || text === '[not set]') return undefined;
        // Not every time is shown as a number.
        return /^\w{3} /.test(text) ? Date.parse(text.slice(4)) / 1000 : Number(text || 0);
      };
      const mine = states.filter((each) => each.name === name);
      assert.deepEqual(
        mine.filter(({ is }) => is === 1).map(({ state }) => state),
        [shown.get('ActiveState')],
        name,
      );
      assert.ok(
        mine.every(({ type }) => type === (shown.get('Type') ?? '')),
        `${name}: ${shown.get('Type')}`,
      );
      const isActive = shown.get('ActiveState') === 'active';
      assert.equal(
        Math.floor(value('unit_start_time_seconds', name) as number),
        isActive ? number('ActiveEnterTimestamp') : 0,
        name,
      );
      assert.equal(value('service_restart_total', name), number('NRestarts'), name);
      for (const [family, property] of [
        ['unit_tasks_current', 'TasksCurrent'],
        ['unit_tasks_max', 'TasksMax'],
      ] as const)
        assert.equal(
          value(family, name),
          name.endsWith('.service') ? number(property) : undefined,
          `${name} ${property}`,
        );
      if (name.endsWith('.timer'))
        assert.equal(Math.floor(value('timer_last_trigger_seconds', name) as number), number('LastTriggerUSec'));
      if (!name.endsWith('.socket')) continue;
      assert.equal(value('socket_accepted_connections_total', name), number('NAccepted'), name);
      assert.equal(value('socket_current_connections', name), number('NConnections'), name);
      assert.equal(value('socket_refused_connections_total', name), number('NRefused'), name);
    }
    t.diagnostic(`${names.size} units`);
    assert.equal(value('unit_tasks_max', 'limited.service'), 17);
    assert.ok((value('service_restart_total', 'failing.service') ?? 0) > 0);
    assert.equal(value('socket_refused_connections_total', 'echo.socket'), 2);
  });

  test('systemd itself is as systemctl shows it', async () => {
    const families = await scrape();
    const one = (property: string): string => systemd.run('systemctl', 'show', '--value', '-p', property).trim();
    const samples = (name: string) => families.get(`node_systemd_${name}`)?.samples;
    const version = one('Version');
    assert.deepEqual(
      [...(samples('version') ?? [])],
      [[`{version="${version}"}`, Number(/^\d+\.\d+|^\d+/.exec(version)?.[0])]],
    );
    assert.deepEqual(
      [...(samples('virtualization_info') ?? [])],
      [[`{virtualization_type="${one('Virtualization')}"}`, 1]],
    );
    assert.equal(samples('system_running')?.get(''), one('SystemState') === 'running' ? 1 : 0);
    const listed = systemd.run('systemctl', 'list-units', '--all', '--plain', '--no-legend').trim().split('\n');
    for (const state of ['active', 'inactive', 'failed'])
      assert.equal(
        samples('units')?.get(`{state="${state}"}`),
        listed.filter((line) => line.split(/\s+/)[2] === state).length,
        state,
      );
  });

  test("systemd's own socket says the same, and is taken where there is no bus", async () => {
    const withoutLogind = FLAGS.filter((each) => each !== '--collector.logind');
    const direct = await start(KEYHOLE, [...withoutLogind, '--collector.systemd.private']);
    const noBus = await start(KEYHOLE, withoutLogind, { DBUS_SYSTEM_BUS_ADDRESS: 'unix:path=/run/no-bus' });
    const own = (families: Families) => [...families].filter(([name]) => name.startsWith('node_systemd_'));
    const expected = own(await scrape());
    // Nothing counts tasks without the controller.
    assert.ok(expected.length >= (lacksController('pids') ? 12 : 13));
    assert.deepEqual(own(await scrape(direct)), expected, direct.log());
    assert.deepEqual(own(await scrape(noBus)), expected, noBus.log());
  });

  test('sessions are as loginctl lists them', async () => {
    const families = await scrape();
    const sessions = families.get('node_logind_sessions')?.samples ?? new Map<string, number>();
    const seats = systemd.run('loginctl', 'list-seats', '--no-legend').trim().split('\n').filter(Boolean);
    assert.equal(sessions.size, 2 * 7 * 5 * (seats.length + 1));
    assert.deepEqual(
      [...sessions].filter(([, count]) => count > 0),
      [['{class="user",remote="true",seat="",type="tty"}', 1]],
      systemd.run('loginctl', '--no-pager'),
    );
  });

  test("Debian's node_exporter says the same of systemd and logind", async (t) => {
    const reference = await start(['/usr/bin/prometheus-node-exporter'], FLAGS);
    const theirs = await scrape(reference);
    const ours = await scrape();
    let compared = 0;
    for (const [name, family] of theirs) {
      if (!/^node_(systemd|logind)_/.test(name)) continue;
      const mine = ours.get(name);
      assert.equal(mine?.type, family.type, name);
      const shown = (samples: ReadonlyMap<string, number>) => [...samples].sort(([a], [b]) => (a < b ? -1 : 1));
      assert.deepEqual(shown(mine?.samples ?? new Map()), shown(family.samples), name);
      compared += family.samples.size;
    }
    t.diagnostic(`${compared} samples`);
    assert.ok(compared > 100);
    for (const name of ours.keys())
      assert.ok(
        theirs.has(name) || !/^node_(systemd|logind)_/.test(name) || name === 'node_systemd_virtualization_info',
        name,
      );
  });

  test('no descriptor is left after 1,000 scrapes', async () => {
    const [pid] = descendants(exporter.child.pid as number);
    const held = (): number => readdirSync(`/proc/${pid}/fd`).length;
    await exporter.scrape();
    const first = held();
    for (let scrapes = 0; scrapes < 1000; scrapes += 1) await exporter.scrape();
    for (let tries = 0; held() > first && tries < 100; tries += 1) await delay(20);
    assert.ok(held() <= first, `${held()} descriptors, ${first} at first`);
    const families = await scrape();
    for (const collector of ['systemd', 'logind'])
      assert.equal(families.get('node_scrape_collector_success')?.samples.get(`{collector="${collector}"}`), 1);
  });
});
