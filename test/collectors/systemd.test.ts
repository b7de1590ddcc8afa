import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import systemd, { parseVersion } from '../../src/collectors/systemd.ts';
import { UsageError } from '../../src/core/errors.ts';
import { createLogger } from '../../src/core/log.ts';
import { type Asked, type Body, message, rows, serve, startBus, type Value, values, variant } from '../helpers/bus.ts';
import { golden, prepared, scrape } from '../helpers/scrape.ts';

const UNITS = [
  ['ssh.service', 'loaded', 'active'],
  ['cron.service', 'loaded', 'failed'],
  ['a\\x2db@"1".service', 'loaded', 'reloading'],
  ['gone.service', 'not-found', 'inactive'],
  ['web.socket', 'loaded', 'active'],
  ['daily.timer', 'loaded', 'activating'],
  ['data.mount', 'loaded', 'active'],
  ['multi-user.target', 'loaded', 'active'],
] as const;

type Properties = Readonly<Record<string, readonly [type: string, value: Value]>>;
const MANAGER: Properties = {
  Version: ['s', '252.39-1~deb12u1'],
  Virtualization: ['s', 'kvm'],
  SystemState: ['s', 'running'],
};
const OF_UNITS: Properties = {
  Type: ['s', 'notify'],
  NRestarts: ['u', 3],
  ActiveEnterTimestamp: ['t', 1_700_000_000_250_000n],
  TasksCurrent: ['t', 2n ** 64n - 1n],
  TasksMax: ['t', 4915n],
  LastTriggerUSec: ['t', 1_650_000_000_500_000n],
  NAccepted: ['u', 17],
  NConnections: ['u', 3],
  NRefused: ['u', 2],
};

const refusal = (name: string): Error =>
  Object.assign(new Error(`no ${name}`), { name: 'org.freedesktop.DBus.Error.UnknownProperty' });

/** Answers as systemd with these units and properties. */
function systemdOf(properties: Properties, units: readonly (readonly [string, string, string])[] = UNITS) {
  return ({ path, member, args }: Asked): Body | Error => {
    if (member === 'ListUnits') {
      const all = units.map(([name, load, active], i) => [
        name,
        'About it',
        load,
        active,
        'x',
        '',
        `/u/${i}`,
        0,
        '',
        '/',
      ]);
      return rows('ssssssouso', all);
    }
    assert.match(
      path,
      args[0] === 'org.freedesktop.systemd1.Manager' ? /^\/org\/freedesktop\/systemd1$/ : /^\/u\/\d+$/,
    );
    const found = properties[args[1] as string];
    return found === undefined ? refusal(args[1] as string) : variant(...found);
  };
}

const ALL = [
  '--collector.systemd.enable-task-metrics',
  '--collector.systemd.enable-restarts-metrics',
  '--collector.systemd.enable-start-time-metrics',
];
const withSystemd = (t: TestContext, properties: Properties = { ...MANAGER, ...OF_UNITS }, units = UNITS) =>
  startBus(t, (socket) => serve(socket, systemdOf(properties, units as never)));

test('systemd: what a bus says scrapes to the golden text', async (t) => {
  await withSystemd(t);
  await golden(t, systemd, { argv: ALL });
});

test('without flags there are no tasks, restarts and start times', async (t) => {
  await withSystemd(t);
  const { text, error } = await scrape(systemd);
  assert.equal(error, undefined);
  assert.doesNotMatch(text, /tasks|restart|start_time/);
  assert.match(text, /node_systemd_unit_state\{name="ssh\.service",state="active",type="notify"\} 1\n/);
  assert.doesNotMatch(text, /data\.mount|gone\.service/);
});

for (const [argv, names] of [
  [['--collector.systemd.unit-include=ssh'], []],
  [['--collector.systemd.unit-include=ssh|ssh\\.service'], ['ssh.service']],
  [['--collector.systemd.unit-include=.*\\.(mount|timer)'], ['daily.timer']],
  [
    ['--collector.systemd.unit-include=.*\\.(mount|timer)', '--collector.systemd.unit-exclude='],
    ['daily.timer', 'data.mount'],
  ],
  [
    ['--collector.systemd.unit-whitelist=.*\\.(mount|timer)', '--collector.systemd.unit-blacklist=.*timer'],
    ['data.mount'],
  ],
  [['--collector.systemd.unit-exclude=[^c].*'], ['cron.service']],
] as const)
  test(`the units of ${argv.join(' ')}`, async (t) => {
    await withSystemd(t);
    const { text } = await scrape(systemd, { argv });
    const found = new Set([...text.matchAll(/unit_state\{name="([^"]*)"/g)].map(([, name]) => name));
    assert.deepEqual([...found], names);
    assert.match(text, /node_systemd_units\{state="active"\} 4\n/);
  });

for (const argv of [
  ['--collector.systemd.unit-include=a', '--collector.systemd.unit-whitelist=b'],
  ['--collector.systemd.unit-exclude=a', '--collector.systemd.unit-blacklist=b'],
  ['--collector.systemd.unit-include=('],
])
  test(`${argv.join(' ')} contradicts itself`, () => assert.throws(() => prepared(systemd, { argv }), UsageError));

test('a unit that is not active was not started, and is not asked', async (t) => {
  const asked: string[] = [];
  await startBus(t, (socket) =>
    serve(socket, (call) => {
      asked.push(`${call.path} ${call.args[1]}`);
      return systemdOf({ ...MANAGER, ...OF_UNITS })(call);
    }),
  );
  const { text } = await scrape(systemd, { argv: ALL });
  assert.match(text, /start_time_seconds\{name="cron\.service"\} 0\n/);
  assert.match(text, /start_time_seconds\{name="ssh\.service"\} 1\.70000000025e\+09\n/);
  assert.ok(asked.includes('/u/0 ActiveEnterTimestamp') && !asked.includes('/u/1 ActiveEnterTimestamp'));
});

test('what systemd refuses costs itself alone', async (t) => {
  const log: string[] = [];
  await withSystemd(t, MANAGER);
  const { text, error } = await scrape(systemd, {
    argv: ALL,
    log: createLogger({ level: 'debug', format: 'logfmt', write: (line: string) => void log.push(line) }),
  });
  assert.equal(error, undefined);
  assert.match(text, /node_systemd_unit_state\{name="ssh\.service",state="active",type=""\} 1\n/);
  assert.doesNotMatch(text, /socket_|timer_|tasks_|restart/);
  assert.ok(
    log.some((line) => /property passed over.*web\.socket.*NRefused.*no NRefused/.test(line)),
    log.join(''),
  );
});

test('a property of another type costs itself alone', async (t) => {
  await withSystemd(t, { ...MANAGER, ...OF_UNITS, NAccepted: ['s', 'many'], LastTriggerUSec: ['b', true] });
  const { text, error } = await scrape(systemd);
  assert.equal(error, undefined);
  assert.doesNotMatch(text, /accepted_connections|last_trigger/);
  assert.match(text, /node_systemd_socket_current_connections\{name="web\.socket"\} 3\n/);
});

for (const [what, properties, expected, unexpected] of [
  [
    'is too old',
    { ...MANAGER, Version: ['s', '208'] },
    /node_systemd_version\{version="208"\} 208\n/,
    /system_running|last_trigger/,
  ],
  [
    'has no version',
    { ...MANAGER, Version: ['s', 'unknown'] },
    /node_systemd_version\{version=""\} 0\n/,
    /system_running|last_trigger/,
  ],
  ['says no version', { SystemState: ['s', 'running'] }, /node_systemd_version\{version=""\} 0\n/, /system_running/],
  ['says no virtualization', { Version: ['s', '252'] }, /virtualization_type="unknown"\} 1\n/, /system_running/],
  ['is not virtual', { ...MANAGER, Virtualization: ['s', ''] }, /virtualization_type="none"\} 1\n/, /"kvm"/],
  ['is degraded', { ...MANAGER, SystemState: ['s', 'degraded'] }, /node_systemd_system_running 0\n/, /running 1/],
] as const)
  test(`a systemd that ${what}`, async (t) => {
    await withSystemd(t, { ...OF_UNITS, ...(properties as unknown as Properties) });
    const { text, error } = await scrape(systemd);
    assert.equal(error, undefined);
    assert.match(text, expected);
    assert.doesNotMatch(text, unexpected);
  });

test('units come and go', async (t) => {
  let units: (readonly [string, string, string])[] = [...UNITS];
  await startBus(t, (socket) => serve(socket, (call) => systemdOf({ ...MANAGER, ...OF_UNITS }, units)(call)));
  const run = prepared(systemd);
  assert.match((await run()).text, /ssh\.service/);
  units = [['new.service', 'loaded', 'active']];
  const { text } = await run();
  assert.match(text, /new\.service/);
  assert.doesNotMatch(text, /ssh\.service/);
  assert.match(text, /node_systemd_units\{state="failed"\} 0\n/);
});

for (const [what, answer, said] of [
  ['lists no units', () => refusal('right'), /no right/],
  ['lists something else', () => values('s', 'x'), /'s' instead of 'a\(ssssssouso\)'/],
] as const)
  test(`a systemd that ${what} fails the collector`, async (t) => {
    await startBus(t, (socket) =>
      serve(socket, (call) => (call.member === 'ListUnits' ? answer() : systemdOf(MANAGER)(call))),
    );
    const { success, error } = await scrape(systemd);
    assert.equal(success, false);
    assert.match((error as Error).message, said);
  });

test('a bus that breaks off while units are asked fails the collector', async (t) => {
  await startBus(t, (socket) =>
    serve(socket, (call, each) => {
      if (call.args[1] !== 'Type') return systemdOf({ ...MANAGER, ...OF_UNITS })(call);
      each.end(message({ type: 2, replySerial: call.serial }, values('s', 'x')).subarray(0, 20));
      return undefined;
    }),
  );
  const { success, error } = await scrape(systemd);
  assert.equal(success, false);
  assert.match((error as Error).message, /closed the connection/);
});

for (const [text, version] of [
  ['252.39-1~deb12u1', 252.39],
  ['v249', 249],
  ['systemd 208', 208],
  ['256~rc3', 256],
  ['44', 0],
  ['', 0],
] as const)
  test(`the version ${JSON.stringify(text)} is ${version}`, () => assert.equal(parseVersion(text), version));
