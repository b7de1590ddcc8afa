import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSamples } from '../../../../src/server/status/browser/exposition.ts';
import { FIGURES, queryOf, shown } from '../../../../src/server/status/browser/figures.ts';

const figureNamed = (id: string) => {
  const found = FIGURES.find((figure) => figure.id === id);
  assert.ok(found !== undefined, id);
  return found;
};

const values = (id: string, before: string, now: string, seconds = 2): [string, number | null][] => [
  ...figureNamed(id).values(parseSamples(before), parseSamples(now), seconds),
];

test('samples are read with their labels, and everything else is left out', () => {
  const found = parseSamples(
    '# HELP a A.\n# TYPE a counter\na{b="c \\"d\\"",e=""} 1\na{b="f"} 2.5e3\n\nnonsense\ng NaN\n',
  );
  assert.deepEqual(found.get('a'), [
    { labels: { b: 'c \\"d\\"', e: '' }, value: 1 },
    { labels: { b: 'f' }, value: 2500 },
  ]);
  assert.deepEqual([...found.keys()], ['a', 'g']);
});

test('CPU time is in parts of all time', () => {
  const text = (user: number, idle: number, steal: number): string =>
    `node_cpu_seconds_total{cpu="0",mode="user"} ${user}\nnode_cpu_seconds_total{cpu="1",mode="nice"} 5\nnode_cpu_seconds_total{cpu="0",mode="idle"} ${idle}\nnode_cpu_seconds_total{cpu="0",mode="steal"} ${steal}\n`;
  assert.deepEqual(values('cpu', text(10, 20, 0), text(11, 22, 1)), [
    ['user', 25],
    ['system', null],
    ['interrupts', null],
    ['waiting for disks', null],
    ['stolen', 25],
  ]);
  assert.equal(values('cpu', text(10, 20, 0), text(10, 20, 0))[0]?.[1], null, 'no time has passed');
});

test('memory is used, cached or free', () => {
  const now = ['MemTotal 100', 'MemFree 20', 'Buffers 1', 'Cached 30', 'SReclaimable 4']
    .map((line) => `node_memory_${line.replace(' ', '_bytes ')}\n`)
    .join('');
  assert.deepEqual(values('memory', '', now), [
    ['used', 45],
    ['cache', 35],
    ['free', 20],
  ]);
  assert.deepEqual(values('memory', '', ''), [
    ['used', null],
    ['cache', 0],
    ['free', null],
  ]);
});

test('traffic is by second, a counter that began anew gives a hole, and made devices are left out', () => {
  const text = (sda: number, dm: number): string =>
    `node_disk_read_bytes_total{device="sda"} ${sda}\nnode_disk_read_bytes_total{device="dm-0"} ${dm}\n`;
  assert.deepEqual(values('disk', text(100, 5), text(300, 900)), [
    ['read', 100],
    ['written', null],
  ]);
  assert.deepEqual(values('disk', text(300, 5), text(100, 900))[0], ['read', null]);
  const net = (lo: number, eth: number): string =>
    `node_network_receive_bytes_total{device="lo"} ${lo}\nnode_network_receive_bytes_total{device="eth0"} ${eth}\n`;
  assert.deepEqual(values('network', net(0, 0), net(9, 8))[0], ['received', 4]);
});

const perf = (cpus: number, factor: number): string =>
  Array.from(
    { length: cpus },
    (_, cpu) =>
      `node_perf_instructions_total{cpu="${cpu}"} ${factor * cpu}\nnode_perf_cpucycles_total{cpu="${cpu}"} ${factor * 2}\n`,
  ).join('');

test('instructions per cycle are of each CPU, or their range where there are many', () => {
  assert.deepEqual(values('ipc', perf(3, 10), perf(3, 20)), [
    ['CPU 0', 0],
    ['CPU 1', 0.5],
    ['CPU 2', 1],
  ]);
  assert.deepEqual(values('ipc', perf(9, 10), perf(9, 20)), [
    ['highest CPU', 4],
    ['middle CPU', 2],
    ['lowest CPU', 0],
  ]);
  assert.deepEqual(values('ipc', '', ''), []);
});

test('one query asks for what the figures need, and nothing else', () =>
  assert.equal(
    queryOf([figureNamed('ipc'), figureNamed('network')]),
    'collect[]=perf&collect[]=netdev&name[]=node_perf_instructions_total&name[]=node_perf_cpucycles_total&name[]=node_network_receive_bytes_total&name[]=node_network_transmit_bytes_total',
  ));

for (const [value, unit, text] of [
  [null, 'bytes', '–'],
  [undefined, 'percent', '–'],
  [0, 'percent', '0 %'],
  [4.56, 'percent', '4.6 %'],
  [45.6, 'percent', '46 %'],
  [1.234, 'ratio', '1.23'],
  [12, 'bytes', '12 B'],
  [1536, 'bytes/s', '1.5 KiB/s'],
  [2 ** 34, 'bytes', '16 GiB'],
  [150 * 2 ** 20, 'bytes', '150 MiB'],
  [2 ** 70, 'bytes', '1048576 PiB'],
] as const)
  test(`${value} as ${unit} is ${text}`, () => assert.equal(shown(value, unit), text));
