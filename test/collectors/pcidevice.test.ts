import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import pcidevice, { parsePlace } from '../../src/collectors/pcidevice.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { samplesIn } from '../helpers/odd.ts';
import { FIXTURES, golden, type ScrapeOptions, scrape, tree } from '../helpers/scrape.ts';

const NAMES = ['--collector.pcidevice.names', `--collector.pcidevice.idsfile=${FIXTURES}usr/share/misc/pci.ids`];

test('parsePlace splits an address', () => {
  assert.deepEqual(parsePlace('0000:0a:00.1'), ['0000', '0a', '00', '1']);
  assert.deepEqual(parsePlace('10000:e0:1d.0'), ['10000', 'e0', '1d', '0']);
});

for (const text of ['', '0000:0a:00', '0a:00.0', '0000:0g:00.0', '0000:0a:00.0/x'])
  test(`parsePlace refuses ${JSON.stringify(text)}`, () => assert.equal(parsePlace(text), undefined));

test('pcidevice: the fixtures scrape to the golden text', (t) => golden(t, pcidevice));

test('pcidevice: names come from pci.ids', (t) => golden(t, pcidevice, { argv: NAMES }, 'pcidevice_names'));

test('names fall back to the ids where there is no such file', async () => {
  const { text, success } = await scrape(pcidevice, {
    argv: ['--collector.pcidevice.names', '--collector.pcidevice.idsfile=/nonexistent'],
  });
  assert.ok(success);
  assert.match(text, /class_name="Unknown class \(0c0600\)".*device_name="1003".*vendor_name="15b3"/);
});

test('the file of the distribution is found by itself', async (t) => {
  if (!existsSync('/usr/share/misc/pci.ids')) return t.skip('no pci.ids here');
  const { text } = await scrape(pcidevice, { argv: ['--collector.pcidevice.names'] });
  assert.match(text, /vendor_name="Mellanox Technologies"/);
});

test('without the bus there are no data', async (t) => {
  assert.ok((await scrape(pcidevice, { root: tree(t, {}) })).error instanceof NoDataError);
});

const AT = 'sys/bus/pci/devices/0000:00:02.0';
const PLACE = 'bus="00",device="02",function="0",segment="0000"';
const FILES = {
  class: '0x020000',
  vendor: '0x15b3',
  device: '0x101e',
  subsystem_vendor: '0x15b3',
  subsystem_device: '0x0001',
  revision: '0x01',
  max_link_speed: '8.0 GT/s PCIe',
  max_link_width: '8',
  current_link_speed: '8.0 GT/s PCIe',
  current_link_width: '8',
  d3cold_allowed: '1',
  sriov_numvfs: '2',
  sriov_totalvfs: '8',
  power_state: 'D0',
  numa_node: '1',
};
const treeOf = (files: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(files).map(([file, text]) => [`${AT}/${file}`, `${text}\n`]));

/** What differs from the usual samples: those that are gone, and those that have come. */
async function differing(t: TestContext, files: Readonly<Record<string, string>>, options: ScrapeOptions = {}) {
  const usual = samplesIn((await scrape(pcidevice, { root: tree(t, treeOf(FILES)) })).text);
  const { text, error } = await scrape(pcidevice, { root: tree(t, treeOf(files)), ...options });
  const now = samplesIn(text);
  return {
    gone: usual.filter((line) => !now.includes(line)),
    come: now.filter((line) => !usual.includes(line)),
    error,
  };
}

const of = (name: string, value: string | number): string => `node_pcidevice_${name}{${PLACE}} ${value}`;

for (const [why, file, text, come, isFault] of [
  ['a speed of another form', 'current_link_speed', 'fast', [], true],
  ['a speed before Linux 5.7', 'max_link_speed', '2.5 GT/s', [of('max_link_transfers_per_second', '2.5e+09')], false],
  ['a speed of other units', 'max_link_speed', '8 GB/s', [], true],
  ['a speed without a number', 'max_link_speed', 'x GT/s PCIe', [], true],
  ['an unknown speed', 'current_link_speed', 'Unknown', [of('current_link_transfers_per_second', -1)], false],
  ['an unknown speed in words', 'max_link_speed', 'Unknown speed', [of('max_link_transfers_per_second', -1)], false],
  ['no speed', 'max_link_speed', '', [of('max_link_transfers_per_second', -1)], false],
  ['a width with a word', 'max_link_width', 'x16', [], true],
  ['an unknown width', 'max_link_width', 'Unknown', [of('max_link_width', -1)], false],
  ['a count that is none', 'sriov_numvfs', 'x', [], true],
  ['an empty count', 'sriov_numvfs', '', [], false],
  ['a node that is none', 'numa_node', 'x', [], true],
  ['no node', 'numa_node', '-1', [], false],
] as const)
  test(`pcidevice: ${why} costs itself alone`, async (t) => {
    const { gone, come: found, error } = await differing(t, { ...FILES, [file]: text });
    assert.equal(gone.length, 1);
    assert.deepEqual(found, come);
    assert.equal(error instanceof ParseError, isFault);
  });

for (const file of ['class', 'vendor', 'device', 'subsystem_vendor', 'subsystem_device', 'revision'] as const) {
  const label = { class: 'class_id', vendor: 'vendor_id', device: 'device_id', revision: 'revision' }[file as 'class'];
  const name = label ?? `${file}_id`;
  for (const [why, text, options, isFault] of [
    ['is not there', undefined, {}, false],
    ['is refused', FILES[file], { disk: refusingDisk('EACCES', `/${file}`) }, false],
    ['has no value', FILES[file], { disk: refusingDisk('EINVAL', `/${file}`) }, false],
    ['is not hexadecimal', 'amd', {}, true],
  ] as const)
    test(`pcidevice: ${file} that ${why} leaves its label empty`, async (t) => {
      const { [file]: _, ...others } = FILES;
      const files = text === undefined ? others : { ...FILES, [file]: text };
      const { gone, come, error } = await differing(t, files, options);
      assert.deepEqual(come, [gone[0]?.replace(new RegExp(`(?<=[{,]${name}=")[^"]*`), '')]);
      assert.equal(error instanceof ParseError, isFault);
    });
}

test('names of ids that are not known are empty', async (t) => {
  const { revision: _, subsystem_device: __, subsystem_vendor: ___, ...files } = FILES;
  const { text, success } = await scrape(pcidevice, { root: tree(t, treeOf(files)), argv: NAMES });
  assert.ok(success);
  assert.match(text, /subsystem_device_name="",subsystem_vendor_id="",subsystem_vendor_name=""/);
  assert.match(text, /vendor_name="Cable Works"/);
});

for (const [why, alter, success] of [
  [
    'a folder that is no device',
    (files: Record<string, string>) => ({ ...files, 'sys/bus/pci/devices/x/vendor': '0x1' }),
    false,
  ],
  [
    'a device that goes away',
    (files: Record<string, string>) => ({ ...files, 'sys/bus/pci/devices/0000:0a:00.0/x': '' }),
    true,
  ],
] as const)
  test(`${why} does not silence the others`, async (t) => {
    const scraped = await scrape(pcidevice, { root: tree(t, alter(treeOf(FILES))) });
    assert.equal(scraped.success, success);
    assert.equal(scraped.text, (await scrape(pcidevice, { root: tree(t, treeOf(FILES)) })).text);
  });
