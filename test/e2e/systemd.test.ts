// The units, as systemd itself judges them.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { declare, parseCommandLine } from '../../src/cli/command_line.ts';
import { collectors } from '../../src/collectors/index.ts';
import { get } from '../helpers/container/seen.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { freePort, KEYHOLE } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { threadsOf } from '../helpers/threads.ts';

const UNITS = new URL('../../deploy/systemd/', import.meta.url).pathname;
/** Tenths: 2.0 of 10, where 10 is a service without any confinement. */
const EXPOSURE_MAX = 20;

const skip = loudly(lacksPackages('systemd'));
const runSkip = loudly(notRoot() || lacksPackages('systemd', 'util-linux'));

describe('deploy/systemd', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-systemd-'));
  const analyze = (...args: string[]): { status: number | null; said: string } => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };
  before(() => {
    // The program need not be installed for its unit to be judged, but something must be there.
    for (const name of ['keyhole.service', 'keyhole.socket', 'socket-only.conf']) {
      const dropIn = name.endsWith('.conf') ? 'keyhole.service.d' : '.';
      mkdirSync(join(folder, dropIn), { recursive: true });
      const text = readFileSync(join(UNITS, name), 'utf8').replace('/usr/local/bin/keyhole', process.execPath);
      writeFileSync(join(folder, dropIn, name), text);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('systemd finds nothing to say', () => {
    const { status, said } = analyze(
      'verify',
      '--man=no',
      join(folder, 'keyhole.service'),
      join(folder, 'keyhole.socket'),
    );
    assert.deepEqual({ status, said }, { status: 0, said: '' });
  });

  test('it is hardly exposed', (t) => {
    const { status, said } = analyze(
      'security',
      '--offline=true',
      '--no-pager',
      `--threshold=${EXPOSURE_MAX}`,
      join(folder, 'keyhole.service'),
    );
    t.diagnostic(/Overall exposure level[^\n]*/.exec(said)?.[0] ?? '');
    assert.equal(status, 0, said);
  });

  test('every default is a flag', () => {
    const unit = readFileSync(join(UNITS, 'keyhole.service'), 'utf8');
    const [, defaults = ''] = /^Environment="KEYHOLE_DEFAULTS=(.*)"$/m.exec(unit) ?? [];
    parseCommandLine({ program: 'keyhole', argv: [], env: { KEYHOLE_DEFAULTS: defaults } }, declare(collectors));
    assert.match(defaults, /--collector\.perf\b/);
  });
});

/** A control group of the test's own in each hierarchy, so that systemd finds its own root wherever it looks. */
const GROUPS = globSync('/sys/fs/cgroup/{,*/}cgroup.procs').map((file) =>
  join(dirname(file), `keyhole-${process.pid}`),
);

/** Starts systemd as process 1 of namespaces and control groups of its own, with no units but ours. */
function startSystemd(folder: string): ChildProcess {
  const inside = `set -e
    ${GROUPS.map((group) => `mount --bind ${group} ${dirname(group)}`).join('\n')}
    mount -t tmpfs tmpfs /run
    cp -r ${folder} /run/units
    mount -t tmpfs tmpfs /usr/local/bin
    cp ${KEYHOLE[0]} /usr/local/bin/keyhole
    for each in /tmp /var/tmp; do mount -t tmpfs -o mode=1777 tmpfs $each; done
    mount -o bind /proc/sys /proc/sys
    mount -o remount,bind,ro /proc/sys
    exec env -i container=test SYSTEMD_UNIT_PATH=/run/units PATH=/usr/bin:/bin \
      /lib/systemd/systemd --system --unit=all.target --log-target=console --show-status=no`;
  const enter = GROUPS.map((group) => `mkdir ${group} && echo $$ >${group}/cgroup.procs || true`);
  const namespaces = '--mount --pid --uts --ipc --cgroup --fork --kill-child --mount-proc --propagation=private';
  return spawn('sh', ['-ec', `${enter.join('\n')}\nexec unshare ${namespaces} sh -c "$0"`, inside], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The processes below a process. */
function descendants(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.map(Number).flatMap((child) => [child, ...descendants(child)]);
}

test('systemd runs it: a user of its own, the socket handed over, counters, nothing held', {
  skip: runSkip || (KEYHOLE.length > 1 ? loudly('units under systemd: npm run build first') : false),
  timeout: 60_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-systemd-'));
  const port = await freePort();
  const unit = (name: string): string => readFileSync(join(UNITS, name), 'utf8');
  writeFileSync(join(folder, 'keyhole.service'), unit('keyhole.service'));
  writeFileSync(
    join(folder, 'keyhole.socket'),
    unit('keyhole.socket').replace('ListenStream=9100', `ListenStream=127.0.0.1:${port}`),
  );
  mkdirSync(join(folder, 'keyhole.service.d'));
  writeFileSync(join(folder, 'keyhole.service.d/socket-only.conf'), unit('socket-only.conf'));
  for (const name of ['sysinit', 'basic', 'shutdown', 'sockets', 'umount'])
    writeFileSync(join(folder, `${name}.target`), '[Unit]\nDefaultDependencies=no\n');
  writeFileSync(
    join(folder, 'all.target'),
    '[Unit]\nDefaultDependencies=no\nRequires=keyhole.service\nAfter=keyhole.service\n',
  );
  const systemd = startSystemd(folder);
  let said = '';
  for (const stream of [systemd.stdout, systemd.stderr])
    stream?.on('data', (chunk) => {
      said += chunk;
    });
  const ended = once(systemd, 'exit');
  try {
    const body = await get(`http://127.0.0.1:${port}/metrics`, async () => systemd.exitCode === null);
    const families = parseExposition(body);
    const value = (name: string, labels = ''): number | undefined => families.get(name)?.samples.get(labels);
    assert.equal(value('node_scrape_collector_success', '{collector="perf"}'), 1);
    for (const collector of ['filesystem', 'netdev', 'timex', 'diskstats', 'cpu', 'meminfo'])
      assert.equal(value('node_scrape_collector_success', `{collector="${collector}"}`), 1, collector);
    const pid = descendants(systemd.pid as number).find(
      (each) => readlinkSync(`/proc/${each}/exe`) === '/usr/local/bin/keyhole',
    ) as number;
    const [, uid] = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    t.diagnostic(`user ${uid}`);
    assert.ok(Number(uid) >= 61184 && Number(uid) <= 65519, `a dynamic user: ${uid}`);
    for (const { permitted, effective, inheritable, ambient, noNewPrivs, seccomp } of threadsOf(pid))
      assert.deepEqual([permitted, effective, inheritable, ambient, noNewPrivs, seccomp], [0n, 0n, 0n, 0n, true, 2]);
  } catch (error) {
    throw new Error(said, { cause: error });
  } finally {
    systemd.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
    // Groups can be removed once the last process in them is gone.
    for (const group of GROUPS.filter((each) => existsSync(each)))
      for (let tries = 0; existsSync(group) && tries < 50; tries += 1) {
        spawnSync('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'], { stdio: 'ignore' });
        await delay(20);
      }
  }
});
