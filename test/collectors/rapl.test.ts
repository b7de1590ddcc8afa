import assert from 'node:assert/strict';
import { closeSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import rapl, { numberZones } from '../../src/collectors/rapl.ts';
import { hostOf } from '../../src/core/assemble.ts';
import type { Acquired } from '../../src/core/collector.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { type Disk, disk } from '../../src/source/disk.ts';
import { createSource } from '../../src/source/source.ts';
import { refusal, refusingDisk } from '../helpers/disk.ts';
import { golden, machineOf, prepared, scrape, tree } from '../helpers/scrape.ts';

const POWERCAP = 'sys/class/powercap';
const FILES = {
  [`${POWERCAP}/intel-rapl:0/name`]: 'package-0\n',
  [`${POWERCAP}/intel-rapl:0/energy_uj`]: '1500000\n',
  [`${POWERCAP}/intel-rapl:0:0/name`]: 'dram\n',
  [`${POWERCAP}/intel-rapl:0:0/energy_uj`]: '250000\n',
};

const samples = (text: string): string[] => [...(text.match(/^[^#].*$/gm) ?? [])];

/** As the kernel shows the tree to a process without privilege: descriptors that are open may be read. */
const refusing: Disk = {
  ...disk,
  open(path) {
    if (path.endsWith('energy_uj')) throw refusal('EACCES', path);
    return disk.open(path);
  },
  readWhole(path) {
    if (path.endsWith('energy_uj')) throw refusal('EACCES', path);
    return disk.readWhole(path);
  },
};

/** What `acquire` opens in this tree, closed when the test ends. */
function acquired(t: TestContext, root: string): Acquired {
  const machine = machineOf(createSource(), { root });
  const host = hostOf(rapl, { machine, parsed: parseFlags([], Object.values(rapl.flags)), enabled: [rapl] });
  const all = rapl.acquire?.(host as Parameters<NonNullable<typeof rapl.acquire>>[0]) as Acquired;
  t.after(() => all.held.forEach(({ fd }) => void closeSync(fd)));
  return all;
}

test('numberZones takes the number from the name, and counts where there is none', () => {
  const names = ['package-0', 'dram', 'package-1', 'dram', 'package', 'package-0-die-1', 'psys', 'a-b'];
  assert.deepEqual(
    numberZones(names.map((name, i) => [`zone${i}`, name])).map(({ name, index }) => `${name} ${index}`),
    ['package 0', 'dram 0', 'package 1', 'dram 1', 'package 2', 'package-0-die-1 0', 'psys 0', 'a-b 0'],
  );
});

test('rapl: the fixtures scrape to the golden text', (t) => golden(t, rapl));

test('rapl: the fixtures scrape to the golden text, with the zone as a label', (t) =>
  golden(t, rapl, { argv: ['--collector.rapl.enable-zone-label'] }, 'rapl_zone_label'));

test('rapl has no data where the folder is missing', async (t) => {
  const { error } = await scrape(rapl, { root: tree(t, { 'sys/class/x': '' }) });
  assert.ok(error instanceof NoDataError);
});

test('rapl has no data where only root may read', async (t) => {
  const { text, error } = await scrape(rapl, { root: tree(t, FILES), disk: refusing });
  assert.ok(error instanceof NoDataError);
  assert.match(error.message, /intel-rapl:0, intel-rapl:0:0/);
  assert.equal(text, '');
});

test('rapl refuses what is not a number, and tells of the others', async (t) => {
  const root = tree(t, { ...FILES, [`${POWERCAP}/intel-rapl:0/energy_uj`]: 'x\n' });
  const { text, error } = await scrape(rapl, { root });
  assert.ok(error instanceof ParseError);
  assert.deepEqual(samples(text), [
    `node_rapl_dram_joules_total{index="0",path="<root>/${POWERCAP}/intel-rapl:0:0"} 0.25`,
  ]);
});

test('rapl reads the descriptors that were acquired, from their start, at every scrape', async (t) => {
  const root = tree(t, FILES);
  const options = { root, disk: refusing, acquired: acquired(t, root) };
  const first = await scrape(rapl, options);
  assert.equal(first.success, true);
  writeFileSync(join(root, `${POWERCAP}/intel-rapl:0/energy_uj`), '2500000\n');
  const second = await scrape(rapl, options);
  assert.deepEqual(
    [first, second].map(({ text }) => samples(text)[1]),
    [1.5, 2.5].map(
      (joules) => `node_rapl_package_joules_total{index="0",path="<root>/${POWERCAP}/intel-rapl:0"} ${joules}`,
    ),
  );
});

test('rapl succeeds with the zones that were acquired, where others are refused', async (t) => {
  const root = tree(t, FILES);
  const { held, facts } = acquired(t, root);
  const { text, error } = await scrape(rapl, { root, disk: refusing, acquired: { held: held.slice(0, 1), facts } });
  assert.equal(error, undefined);
  assert.deepEqual(samples(text), [
    `node_rapl_package_joules_total{index="0",path="<root>/${POWERCAP}/intel-rapl:0"} 1.5`,
  ]);
});

for (const code of ['EINVAL', 'ENODATA', 'ENOENT', 'EACCES'])
  test(`a zone that answers ${code} is left out, and that is no fault`, async (t) => {
    const disk = refusingDisk(code, 'intel-rapl:0/energy_uj');
    const { text, error } = await scrape(rapl, { root: tree(t, FILES), disk });
    assert.equal(error, undefined);
    assert.deepEqual(samples(text), [
      `node_rapl_dram_joules_total{index="0",path="<root>/${POWERCAP}/intel-rapl:0:0"} 0.25`,
    ]);
  });

test('a zone whose descriptor is of a thing that is gone is read by its path again', async (t) => {
  const root = tree(t, FILES);
  const all = acquired(t, root);
  const gone = all.held[0]?.fd as number;
  const closed: number[] = [];
  const read: Disk['read'] = (fd, ...others) => {
    if (fd === gone) throw refusal('ENODEV', 'energy_uj');
    return disk.read(fd, ...others);
  };
  const close = (fd: number): void => void (fd === gone ? closed.push(fd) : disk.close(fd));
  const run = prepared(rapl, { root, acquired: all, disk: { ...disk, read, close } });
  assert.equal(samples((await run()).text).length, 2);
  assert.equal(samples((await run()).text).length, 2);
  assert.deepEqual(closed, [gone]);
});

test('acquire opens the zones that setup reads', (t) => {
  const root = tree(t, {
    ...FILES,
    [`${POWERCAP}/intel-rapl/enabled`]: '1\n',
    [`${POWERCAP}/dtpm:0/name`]: 'package\n',
  });
  const { held, facts } = acquired(t, root);
  assert.deepEqual(facts, { refused: {} });
  assert.deepEqual(
    held.map(({ key, kind, path }) => [key, kind, path]),
    ['intel-rapl:0', 'intel-rapl:0:0'].map((zone) => [zone, 'file', join(root, `${POWERCAP}/${zone}/energy_uj`)]),
  );
  assert.equal(readFileSync(held[1]?.fd as number, 'utf8'), '250000\n');
});

test('acquire opens nothing where there is nothing, and does not throw', (t) => {
  assert.deepEqual(acquired(t, tree(t, { 'sys/class/x': '' })), { held: [], facts: { refused: {} } });
});
