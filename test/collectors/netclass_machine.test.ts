// Attributes of this very machine's devices: netlink is asked for them, and the files have to say the same.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import netclass from '../../src/collectors/netclass.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { disk } from '../../src/source/disk.ts';
import { recordedDisk } from '../helpers/disk.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { prepared, type ScrapeOptions, scrape } from '../helpers/scrape.ts';

const EPERM = 1;
const NEW_LINK = 16;
const NAME = 3;
const MTU = '/sys/class/net/lo/mtu';

/** What is told, and whether files are read that netlink speaks for. */
async function told(options: ScrapeOptions = {}) {
  const paths = new Set<string>();
  const result = await scrape(netclass, { root: '/', disk: recordedDisk(disk, (path) => paths.add(path)), ...options });
  assert.equal(result.error, undefined);
  assert.match(result.text, /^node_network_mtu_bytes\{device="lo"\} \d+$/m);
  return { text: result.text, areRead: [...paths].some((path) => path.endsWith(MTU)) };
}

/** By a path that is not taken for the machine's own, so that nothing but files is read. */
const fromFiles = () => told({ root: '/proc/self/root' });

/** Struct ifinfomsg, and a name. */
function link(index: number, name: string): Buffer {
  const head = Buffer.alloc(16);
  head.writeInt32LE(index, 4);
  return Buffer.concat([head, attributes([NAME, name])]);
}

test('netclass: netlink and files say the same of this machine', async () => {
  const [asked, read] = [await told(), await fromFiles()];
  assert.equal(asked.text, read.text);
  assert.deepEqual([asked.areRead, read.areRead], [false, true]);
});

for (const argv of [['--collector.netclass.ignored-devices=^[a-km-z]'], ['--collector.netclass.ignore-invalid-speed']])
  test(`netclass: netlink and files say the same with ${argv}`, async () => {
    const [asked, read] = [await told({ argv }), await told({ argv, root: '/proc/self/root' })];
    assert.equal(asked.text, read.text);
  });

test('netclass: files are read where netlink is closed, which is said once', async () => {
  const warnings: string[] = [];
  const log: Logger = { ...silent, warn: (message) => warnings.push(message), with: () => log };
  const netlink = () => kernelOf(() => EPERM);
  const { text, areRead } = await told({ netlink });
  assert.ok(areRead);
  assert.equal(text, (await fromFiles()).text);
  const again = prepared(netclass, { root: '/', netlink, log });
  assert.equal((await again()).text, (await again()).text);
  assert.deepEqual(warnings, ['netlink cannot be used: reading attributes of network devices from sysfs']);
});

for (const [what, index, name] of [
  ['another device', 1, 'of-another'],
  ['a device of that name with another number', 4_000_000, 'lo'],
] as const)
  test(`netclass: files are read where netlink is about another network: ${what}`, async () => {
    const netlink = () => kernelOf(() => [[NEW_LINK, link(index, name)]], { [index]: name });
    const { text, areRead } = await told({ netlink });
    assert.ok(areRead);
    assert.equal(text, (await fromFiles()).text);
  });
