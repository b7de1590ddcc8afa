import assert from 'node:assert/strict';
import { test } from 'node:test';
import softnet from '../../src/collectors/softnet.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const row = (columns: number): string =>
  `${Array.from({ length: columns }, (_, i) => `0000001${i.toString(16)}`).join(' ')}\n`;

/** What is written of rows that are as `row` makes them; some of their counters are not in every kernel. */
const samples = (cpus: readonly number[], rps: number, flowLimit: number, backlog: number): string[] =>
  Object.entries({
    backlog_len: backlog,
    cpu_collision_total: 24,
    dropped_total: 17,
    flow_limit_count_total: flowLimit,
    processed_total: 16,
    received_rps_total: rps,
    times_squeezed_total: 18,
  }).flatMap(([name, value]) => cpus.map((cpu) => `node_softnet_${name}{cpu="${cpu}"} ${value}`));

test('softnet: the fixtures scrape to the golden text', (t) => golden(t, softnet));

testFile(softnet, 'proc/net/softnet_stat', [
  ['9 columns', row(9), samples([0], 0, 0, 0)],
  ['10 columns', row(10), samples([0], 25, 0, 0)],
  ['11 columns, of two CPUs', row(11) + row(11), samples([0, 1], 25, 26, 0)],
  ['12 columns', row(12), samples([0], 25, 26, 0)],
  ['13 columns', row(13), samples([28], 25, 26, 27)],
  ['15 columns', row(15), samples([28], 25, 26, 27)],
  ['too few columns', row(8) + row(13), samples([28], 25, 26, 27), row(8).trim()],
  ['an empty row', `\n${row(13)}`, samples([28], 25, 26, 27)],
  ...(
    [
      ['a counter', row(13).replace('11', '1x')],
      ['a column that is not exposed', row(15).replace('13', '1x')],
      ['the CPU', row(13).replace('1c', 'xc')],
    ] as const
  ).map(
    ([what, bad]) => [`${what} that is not hexadecimal`, bad + row(13), samples([28], 25, 26, 27), bad.trim()] as const,
  ),
]);

for (const [online, cpus] of [
  ['0-1,8-9\n', [0, 1, 8, 9]],
  [undefined, [0, 1, 2, 3]],
  ['0-2\n', []],
] as const)
  test(`softnet: rows without a CPU, with ${JSON.stringify(online)} online`, async (t) => {
    const list = online === undefined ? {} : { 'sys/devices/system/cpu/online': online };
    const root = tree(t, { 'proc/net/softnet_stat': row(10).repeat(4), ...list });
    const { text, success } = await scrape(softnet, { root });
    assert.deepEqual([samplesIn(text), success], [samples(cpus, 25, 0, 0), cpus.length > 0]);
  });

test('softnet: fails without its file', async (t) => {
  assert.equal((await scrape(softnet, { root: tree(t, {}) })).success, false);
});
