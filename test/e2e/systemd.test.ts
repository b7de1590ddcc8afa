// The units, as systemd itself judges them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { declare, parseCommandLine, prepareParsing } from '../../src/cli/command_line.ts';
import { collectors } from '../../src/collectors/index.ts';
import { bootSystemd, descendants } from '../helpers/booted_systemd.ts';
import { get } from '../helpers/container/seen.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { freePort, KEYHOLE } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { threadsOf } from '../helpers/threads.ts';

const UNITS = new URL('../../deploy/systemd/', import.meta.url).pathname;
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
    for (const name of ['keyhole.service', 'keyhole.socket'])
      writeFileSync(
        join(folder, name),
        readFileSync(join(UNITS, name), 'utf8').replace('/usr/local/bin/keyhole', process.execPath),
      );
    writeFileSync(join(folder, 'bare.service'), `[Service]\nExecStart=${process.execPath}\n`);
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

  test('it is as exposed as docs/systemd.md says', () => {
    const rating = (unit: string): string => {
      const { said } = analyze('security', '--offline=true', '--no-pager', join(folder, unit));
      return /Overall exposure level for \S+: ([\d.]+)/.exec(said)?.[1] ?? said;
    };
    const [alone, bare] = [rating('keyhole.service'), rating('bare.service')];
    mkdirSync(join(folder, 'keyhole.service.d'));
    cpSync(join(UNITS, 'socket-only.conf'), join(folder, 'keyhole.service.d/socket-only.conf'));
    const withSocket = rating('keyhole.service');
    cpSync(join(UNITS, 'packaged-user.conf'), join(folder, 'keyhole.service.d/packaged-user.conf'));
    const packagedWithSocket = rating('keyhole.service');
    rmSync(join(folder, 'keyhole.service.d/socket-only.conf'));
    const packaged = rating('keyhole.service');
    const page = readFileSync(new URL('../../docs/systemd.md', import.meta.url), 'utf8').replace(/\s+/g, ' ');
    const sentence = `rates the unit ${alone} of 10, and ${withSocket} with \`socket-only.conf\`; a service without any confinement has ${bare}. With the packages' user that stays, it is ${packaged} and ${packagedWithSocket}.`;
    assert.ok(page.includes(sentence), sentence);
  });

  test('every default is a flag', async () => {
    const unit = readFileSync(join(UNITS, 'keyhole.service'), 'utf8');
    const [, defaults = ''] = /^Environment="KEYHOLE_DEFAULTS=(.*)"$/m.exec(unit) ?? [];
    const commandLine = { program: 'keyhole', argv: [], env: { KEYHOLE_DEFAULTS: defaults } };
    await prepareParsing(commandLine, declare(collectors));
    parseCommandLine(commandLine, declare(collectors));
    assert.match(defaults, /--collector\.perf\b/);
  });
});

test('systemd runs it: a user of its own, the socket handed over, counters, nothing held', {
  skip: runSkip || (KEYHOLE.length > 1 ? loudly('units under systemd: npm run build first') : false),
  timeout: 60_000,
}, async (t) => {
  const port = await freePort();
  const unit = (name: string): string => readFileSync(join(UNITS, name), 'utf8');
  const bare = '[Unit]\nDefaultDependencies=no\n';
  const systemd = bootSystemd(
    {
      ...Object.fromEntries(
        ['sysinit', 'basic', 'shutdown', 'sockets', 'umount'].map((name) => [`${name}.target`, bare]),
      ),
      'keyhole.service': unit('keyhole.service') + unit('socket-only.conf'),
      'keyhole.socket': unit('keyhole.socket').replace('ListenStream=9100', `ListenStream=127.0.0.1:${port}`),
      'all.target': `${bare}Requires=keyhole.service\nAfter=keyhole.service\n`,
    },
    ['mount -t tmpfs tmpfs /usr/local/bin', `cp ${KEYHOLE[0]} /usr/local/bin/keyhole`],
  );
  try {
    const body = await get(`http://127.0.0.1:${port}/metrics`, async () => systemd.child.exitCode === null);
    const families = parseExposition(body);
    const value = (name: string, labels = ''): number | undefined => families.get(name)?.samples.get(labels);
    assert.equal(value('node_scrape_collector_success', '{collector="perf"}'), 1);
    for (const collector of ['filesystem', 'netdev', 'timex', 'diskstats', 'cpu', 'meminfo'])
      assert.equal(value('node_scrape_collector_success', `{collector="${collector}"}`), 1, collector);
    const pid = descendants(systemd.child.pid as number).find(
      (each) => readlinkSync(`/proc/${each}/exe`) === '/usr/local/bin/keyhole',
    ) as number;
    const [, uid] = /^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    t.diagnostic(`user ${uid}`);
    assert.ok(Number(uid) >= 61184 && Number(uid) <= 65519, `a dynamic user: ${uid}`);
    for (const { permitted, effective, inheritable, ambient, noNewPrivs, seccomp } of threadsOf(pid))
      assert.deepEqual([permitted, effective, inheritable, ambient, noNewPrivs, seccomp], [0n, 0n, 0n, 0n, true, 2]);
    const inside = ['--target', String(descendants(systemd.child.pid as number)[0]), '--mount', '--pid', '--cgroup'];
    const doctor = spawnSync('nsenter', [...inside, '/usr/local/bin/keyhole', 'doctor'], { encoding: 'utf8' });
    assert.match(doctor.stdout, /^ok +exporter +process \d+ in keyhole\.service/m);
    assert.match(doctor.stdout, /^ok +unit +keyhole\.service hides nothing that Keyhole reads$/m);
  } catch (error) {
    throw new Error(systemd.said(), { cause: error });
  } finally {
    await systemd.stop();
  }
});
