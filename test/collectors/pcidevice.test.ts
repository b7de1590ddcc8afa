import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import pcidevice, { parsePlace, parseSpeed } from '../../src/collectors/pcidevice.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { FIXTURES, golden, scrape, tree } from '../helpers/scrape.ts';

const NAMES = ['--collector.pcidevice.names', `--collector.pcidevice.idsfile=${FIXTURES}usr/share/misc/pci.ids`];

test('parsePlace splits an address', () => {
  assert.deepEqual(parsePlace('0000:0a:00.1'), ['0000', '0a', '00', '1']);
  assert.deepEqual(parsePlace('10000:e0:1d.0'), ['10000', 'e0', '1d', '0']);
});

for (const text of ['', '0000:0a:00', '0a:00.0', '0000:0g:00.0', '0000:0a:00.0/x'])
  test(`parsePlace refuses ${JSON.stringify(text)}`, () => assert.throws(() => parsePlace(text), ParseError));

for (const [text, speed] of [
  ['2.5 GT/s PCIe', 2.5e9],
  ['64.0 GT/s PCIe', 64e9],
  ['8 GT/s', 8e9],
] as const)
  test(`parseSpeed reads ${text}`, () => assert.equal(parseSpeed(text), speed));

for (const text of ['', 'fast', '8', '8 GB/s', 'x GT/s PCIe'])
  test(`parseSpeed refuses ${JSON.stringify(text)}`, () => assert.equal(parseSpeed(text), undefined));

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

for (const [why, file, text] of [
  ['an id that is not hexadecimal', 'vendor', 'amd\n'],
  ['a speed of another form', 'current_link_speed', 'fast\n'],
  ['a width with a word', 'max_link_width', 'x16\n'],
] as const)
  test(`${why} is refused`, async () => {
    const { error } = await scrape(pcidevice, {
      wrap: (real) => ({ ...real, readOnce: (path) => (path.endsWith(`/${file}`) ? text : real.readOnce(path)) }),
    });
    assert.ok(error instanceof ParseError);
  });

for (const text of ['Unknown\n', 'Unknown speed\n', '\n'])
  test(`a link of which nothing is known (${JSON.stringify(text)}) has -1`, async () => {
    const links = /(max|current)_link_(speed|width)$/;
    const { text: told, success } = await scrape(pcidevice, {
      wrap: (real) => ({ ...real, readOnce: (path) => (links.test(path) ? text : real.readOnce(path)) }),
    });
    assert.ok(success);
    assert.deepEqual([...new Set(told.match(/(?<=^node_pcidevice_.*_link_.* ).*$/gm))], ['-1']);
  });

test('a device that cannot be told does not silence the others', async () => {
  const { text, error } = await scrape(pcidevice, {
    wrap: (real) => ({
      ...real,
      readOnce: (path) => (path.endsWith('0000:0a:00.0/vendor') ? 'amd\n' : real.readOnce(path)),
    }),
  });
  assert.ok(error instanceof ParseError);
  assert.doesNotMatch(text, /bus="0a"/);
  assert.match(text, /bus="41"/);
});

test('a device that goes away during the scrape is left out', async () => {
  const { text, success } = await scrape(pcidevice, {
    wrap: (real) => ({
      ...real,
      readOnce(path) {
        if (path.includes('0000:0a:00.0')) throw Object.assign(new Error('ENODEV'), { code: 'ENODEV' });
        return real.readOnce(path);
      },
    }),
  });
  assert.ok(success);
  assert.doesNotMatch(text, /bus="0a"/);
  assert.match(text, /bus="41"/);
});
