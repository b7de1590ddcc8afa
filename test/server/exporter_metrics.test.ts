import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { silent } from '../../src/core/log.ts';
import { createRegistry } from '../../src/core/registry.ts';
import { exporterParts } from '../../src/server/exporter_metrics.ts';
import type { Disk } from '../../src/source/disk.ts';
import { createSource } from '../../src/source/source.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { parseExposition } from '../helpers/exposition.ts';
import { scraper } from '../helpers/render.ts';
import { tree } from '../helpers/scrape.ts';

interface Own {
  value(name: string, labels?: string): number | undefined;
  readonly error: unknown;
  readonly text: string;
}

/** Scrapes what the exporter says of itself, reading `proc`; the function does it again and again. */
function ownOf(proc: string, pageSizeBytes: number | undefined = 4096, disk?: Disk): () => Promise<Own> {
  const source = createSource(disk === undefined ? {} : { disk });
  const parts = exporterParts({ own: source.openTree(proc), pageSizeBytes, layouts: () => source.clock.layouts });
  const onBegin = (): void => source.clock.begin();
  const registry = createRegistry([{ name: 'own', parts }], { timeoutMs: 1000, log: silent, onBegin });
  const scrape = scraper(registry);
  return async () => {
    const text = await scrape();
    const families = parseExposition(text);
    const value = (name: string, labels = ''): number | undefined => families.get(name)?.samples.get(labels);
    return { text, value, error: registry.states()[0]?.cause };
  };
}

const BTIME = 1_700_000_000;

/** As the kernel writes it, with these by the number of the field in proc_pid_stat(5). */
function statLine(name: string, fields: Readonly<Record<number, number | bigint>>): string {
  const rest = Array.from({ length: 50 }, (_, i) => (i === 0 ? 'S' : String(fields[i + 3] ?? i + 1000)));
  return `4711 (${name}) ${rest.join(' ')}\n`;
}

for (const name of ['node', 'a b', 'a) (b c', ') R 1 2 3', '()', 'a  b', '', '(((((((((((((((', 'x y z a b c d e'])
  test(`the fields of /proc/self/stat are counted after the name, whatever it holds: ${JSON.stringify(name)}`, async (t) => {
    const files = {
      'self/stat': statLine(name, { 14: 250, 15: 50, 22: 88123, 23: 700123456, 24: 9000, 25: 18446744073709551615n }),
      stat: `cpu 1\nbtime ${BTIME}\n`,
      'self/fd/0': '',
    };
    const own = await ownOf(tree(t, files), 16384)();
    assert.equal(own.error, undefined);
    assert.equal(own.value('process_cpu_seconds_total'), 3);
    assert.equal(own.value('process_virtual_memory_bytes'), 700123456);
    assert.equal(own.value('process_resident_memory_bytes'), 9000 * 16384);
    assert.equal(own.value('process_start_time_seconds'), BTIME + 881.23);
  });

for (const text of ['', '\n', '1 (x) S 1\n', 'no parenthesis\n', '1 (x) S 1 1 1 0 -1 4194560 5353 0 3 0 x 50\n'])
  test(`/proc/self/stat that reads ${JSON.stringify(text)} costs its own figures`, async (t) => {
    const own = await ownOf(tree(t, { 'self/stat': text, 'self/fd/0': '' }))();
    assert.ok(own.error instanceof ParseError, String(own.error));
    assert.equal(own.value('process_cpu_seconds_total'), undefined);
    assert.ok((own.value('nodejs_heap_size_used_bytes') ?? 0) > 0);
  });

test('the bytes over IP are found by the names of their columns', async (t) => {
  const files = {
    'net/netstat': 'TcpExt: A InOctets\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 123 456\n',
    'self/fd/0': '',
  };
  const own = await ownOf(tree(t, files))();
  assert.equal(own.value('process_network_receive_bytes_total'), 123);
  assert.equal(own.value('process_network_transmit_bytes_total'), 456);
  const without = await ownOf(tree(t, { ...files, 'net/netstat': 'TcpExt: A\nTcpExt: 1\n' }))();
  assert.equal(without.value('process_network_receive_bytes_total'), undefined);
  assert.equal(without.error, undefined);
});

test('limits, and descriptors counted by their names where the folder has no size', async (t) => {
  const limits =
    'Max address space         unlimited  unlimited  bytes\nMax open files            1024   4096  files\n';
  const own = await ownOf(tree(t, { 'self/limits': limits, 'self/fd/0': '' }))();
  assert.equal(own.value('process_max_fds'), 1024);
  assert.equal(own.value('process_virtual_memory_max_bytes'), 2 ** 64);
});

/** By proc_pid_stat(5), read apart from ours: the name ends with the last parenthesis. */
function statFields(): string[] {
  const text = readFileSync('/proc/self/stat', 'latin1');
  return [
    'pid',
    'comm',
    ...text
      .slice(text.lastIndexOf(')') + 2)
      .trim()
      .split(' '),
  ];
}

const between = (what: string, before: number, value: number | undefined, after: number): void =>
  assert.ok(value !== undefined && before <= value && value <= after, `${what}: ${before} <= ${value} <= ${after}`);

test("the exporter's own figures are those that the kernel has of this process", async () => {
  const field = (fields: string[], number: number): number => Number(fields[number - 1]);
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  const pageBytes = Number(execFileSync('getconf', ['PAGE_SIZE'], { encoding: 'utf8' }));
  const scrape = ownOf('/proc', pageBytes);
  const btime = Number(/^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]);
  for (let i = 0; i < 3; i += 1) {
    const before = statFields();
    const own = await scrape();
    const after = statFields();
    const cpu = (fields: string[]): number => (field(fields, 14) + field(fields, 15)) / ticks;
    between('cpu', cpu(before), own.value('process_cpu_seconds_total'), cpu(after));
    assert.equal(own.value('process_start_time_seconds'), btime + field(after, 22) / ticks);
    const virtual = [field(before, 23), field(after, 23)];
    between('virtual', Math.min(...virtual), own.value('process_virtual_memory_bytes'), Math.max(...virtual));
    const resident = [field(before, 24) * pageBytes, field(after, 24) * pageBytes];
    const slack = 32 << 20;
    between(
      'resident',
      Math.min(...resident) - slack,
      own.value('process_resident_memory_bytes'),
      Math.max(...resident) + slack,
    );
  }
});

test("the exporter's own figures hold against what the runtime and the folders of descriptors say", async () => {
  const own = await ownOf('/proc')();
  const startedAt = Date.now() / 1000 - process.uptime();
  assert.ok(Math.abs((own.value('process_start_time_seconds') ?? 0) - startedAt) < 2);
  const open = readdirSync('/proc/self/fd').length;
  assert.ok(
    Math.abs((own.value('process_open_fds') ?? 0) - open) <= 4,
    `${own.value('process_open_fds')}, not ${open}`,
  );
  const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
  assert.equal(own.value('process_max_fds'), Number(soft));
  const used = own.value('nodejs_heap_size_used_bytes') ?? 0;
  assert.ok(used > 1e6 && used < (own.value('nodejs_heap_size_total_bytes') ?? 0));
  assert.match(own.text, /^nodejs_version_info\{.*version="v26\./m);
  assert.equal(own.value('keyhole_layouts_total'), 2, 'stat and netstat');
});

test('a /proc/stat that cannot be read costs the time of the start alone', async () => {
  const { value } = await ownOf('/proc', 4096, refusingDisk('EIO', '/proc/stat'))();
  assert.equal(value('process_start_time_seconds'), undefined);
  for (const name of ['process_cpu_seconds_total', 'process_open_fds', 'process_max_fds', 'keyhole_layouts_total'])
    assert.notEqual(value(name), undefined, name);
});
