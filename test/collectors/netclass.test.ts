import assert from 'node:assert/strict';
import { renameSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import netclass from '../../src/collectors/netclass.ts';
import { errnoOf, NoDataError, ParseError } from '../../src/core/errors.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { closedDisk, refusingDisk } from '../helpers/disk.ts';
import { golden, prepared, scrape, tree } from '../helpers/scrape.ts';

const NET = 'sys/class/net';

test('netclass: the fixtures scrape to the golden text', (t) => golden(t, netclass));

test('netclass: devices and speeds can be left out', async () => {
  const argv = ['--collector.netclass.ignored-devices=^(lo|e.*1|br-.*)$', '--collector.netclass.ignore-invalid-speed'];
  const { text } = await scrape(netclass, { argv });
  assert.deepEqual(text.match(/^node_network_up.*$/gm), [
    'node_network_up{device="bond0"} 1',
    'node_network_up{device="eno2"} 0',
  ]);
  assert.deepEqual(text.match(/^node_network_speed.*$/gm), ['node_network_speed_bytes{device="bond0"} 1.25e+09']);
});

test('netclass: a bare device has what is known of it, numbers in any base', async (t) => {
  const root = tree(t, {
    [`${NET}/a/operstate`]: 'up\n',
    [`${NET}/a/ifalias`]: `${'x'.repeat(200)}\n`,
    [`${NET}/a/mtu`]: '0x5dc\n',
    [`${NET}/b/flags`]: '0x1002\n',
  });
  const { text, success } = await scrape(netclass, { root });
  assert.ok(success);
  assert.deepEqual(text.match(/^node.*$/gm), [
    'node_network_flags{device="b"} 4098',
    'node_network_info{address="",adminstate="down",broadcast="",device="b",duplex="",ifalias="",operstate=""} 1',
    `node_network_info{address="",adminstate="unknown",broadcast="",device="a",duplex="",ifalias="${'x'.repeat(200)}",operstate="up"} 1`,
    'node_network_mtu_bytes{device="a"} 1500',
    'node_network_up{device="a"} 1',
  ]);
});

test('netclass: an attribute that is no number costs itself alone', async (t) => {
  const root = tree(t, { [`${NET}/a/mtu`]: '1500\n', [`${NET}/a/type`]: 'none\n' });
  const { text, error, faultsTotal } = await prepared(netclass, { root })();
  assert.equal((error as Error).message, new ParseError(`${root}/${NET}/a/type`, 'none').message);
  assert.equal(faultsTotal, 1);
  assert.match(text, /^node_network_mtu_bytes\{device="a"\} 1500$/m);
});

for (const code of ['EINVAL', 'EACCES', 'ENOTSUP', 'EIO'])
  test(`netclass: an attribute that answers ${code} is absent`, async () => {
    const { text, success } = await scrape(netclass, { disk: refusingDisk(code, '/carrier') });
    assert.ok(success);
    assert.doesNotMatch(text, /node_network_carrier\{/);
    assert.match(text, /node_network_carrier_changes_total\{/);
  });

test('netclass: another fault of one device leaves the others', async () => {
  const { text, success } = await scrape(netclass, { disk: refusingDisk('EPROTO', 'eno1/carrier') });
  assert.equal(success, false);
  assert.match(text, /^node_network_carrier\{device="eno2"\} 0$/m);
  assert.doesNotMatch(text, /^node_network_carrier\{device="eno1"\}/m);
});

test('netclass: devices that swap their names, come and go, are told under the names they have', async (t) => {
  const device = (name: string, number: number, mtu: number): Record<string, string> => ({
    [`sys/class/net/${name}/ifindex`]: `${number}\n`,
    [`sys/class/net/${name}/mtu`]: `${mtu}\n`,
    [`sys/class/net/${name}/operstate`]: 'up\n',
  });
  const root = tree(t, { ...device('eth0', 2, 1500), ...device('eth1', 3, 9000), ...device('gone', 4, 1280) });
  const scrapeAgain = prepared(netclass, { root });
  const mtus = async (): Promise<string[]> =>
    [...(await scrapeAgain()).text.matchAll(/^node_network_mtu_bytes\{device="(.*)"\} (\d+)$/gm)].map(
      (m) => `${m[1]} ${m[2]}`,
    );
  assert.deepEqual(await mtus(), ['eth0 1500', 'eth1 9000', 'gone 1280']);
  const folder = join(root, 'sys/class/net');
  for (const [from, to] of [
    ['eth0', 'x'],
    ['eth1', 'eth0'],
    ['x', 'eth1'],
    ['gone', 'back'],
  ] as const)
    renameSync(join(folder, from), join(folder, to));
  assert.deepEqual(await mtus(), ['back 1280', 'eth0 9000', 'eth1 1500']);
});

test('netclass: a folder that is missing is no data, one that is closed a fault', async (t) => {
  assert.ok((await scrape(netclass, { root: tree(t, {}) })).error instanceof NoDataError);
  const { text, error } = await scrape(netclass, { disk: closedDisk('EACCES', '/class/net') });
  assert.deepEqual([text, errnoOf(error)], ['', 'EACCES']);
});

test('netclass: reads sysfs where netlink is asked for but cannot be used, and says so', async (t) => {
  t.mock.method(process, 'getBuiltinModule', () => undefined);
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (message) => warnings.push(message), with: () => log };
  const argv = ['--collector.netclass.netlink', '--collector.netclass_rtnl.with-stats'];
  const asked = await scrape(netclass, { log, argv });
  assert.deepEqual(warnings, ['netlink cannot be used: reading attributes of network devices from sysfs']);
  assert.equal(asked.text, (await scrape(netclass, { log })).text);
  assert.equal(warnings.length, 1);
});
