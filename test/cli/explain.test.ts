import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import process from 'node:process';
import { test } from 'node:test';
import { documentOf } from '../../src/cli/documents.ts';
import { explain, sourceOf } from '../../src/cli/explain.ts';
import { promqlOf } from '../../src/cli/promql.ts';
import { openTrial } from '../../src/cli/trial.ts';
import { collectors } from '../../src/collectors/index.ts';
import { enabledOf } from '../../src/core/assemble.ts';
import { UsageError } from '../../src/core/errors.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { counter } from '../../src/core/metric.ts';
import { OVER_FIXTURES, programThat, runCommand } from '../helpers/program.ts';

interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly number: string;
}

async function reportOf(metric: string, ...argv: string[]) {
  const { status, text } = await runCommand(explain, metric, '--json', ...OVER_FIXTURES, ...argv);
  assert.equal(status, 0);
  return JSON.parse(text) as {
    collector?: string;
    enabled?: boolean;
    help: string;
    reads: string[];
    why?: string;
    documents: string[];
    promql: string;
    series: { key: string; value: string; place?: Place }[];
    seriesCount: number;
  };
}

for (const [metric, file, line, column, number] of [
  ['node_load15', '/proc/loadavg', 1, 11, undefined],
  ['node_memory_MemFree_bytes', '/proc/meminfo', 2, undefined, undefined],
  ['node_cpu_seconds_total{cpu="0",mode="user"}', '/proc/stat', 2, 6, undefined],
  ['node_forks_total', '/proc/stat', undefined, 11, undefined],
  ['node_network_mtu_bytes{device="lo"}', '/sys/class/net/lo/mtu', 1, 1, '65536'],
] as const)
  test(`${metric} stands in ${file}`, async () => {
    const { series, documents } = await reportOf(metric);
    const place = series[0]?.place;
    assert.equal(place?.file, file);
    if (line !== undefined) assert.equal(place?.line, line);
    if (column !== undefined) assert.equal(place?.column, column);
    if (number !== undefined) assert.equal(place?.number, number);
    assert.match(documents[0] ?? '', /^https:\/\/docs\.kernel\.org\/.*\.html/);
  });

test('of two that declare a metric, the one that gives it is reported', async () => {
  for (const metric of ['node_network_receive_bytes_total', 'node_network_transmit_packets_total'])
    assert.equal((await reportOf(metric)).collector, 'netdev');
  assert.equal((await reportOf('node_network_mtu_bytes')).collector, 'netclass');
});

test('every family is explained by the collector that writes it', async () => {
  const program = programThat(() => {});
  const parsed = parseFlags(OVER_FIXTURES, program.declared.flags);
  const writers = new Map<string, string>();
  for (const collector of enabledOf(program.collectors, parsed, false)) {
    const { scrape, close } = openTrial(program, parsed, [collector]);
    for (const [, family = ''] of (await scrape()).matchAll(/^# TYPE (node_(?!scrape_)\S+) /gm))
      writers.set(family, collector.name);
    close();
  }
  assert.ok(writers.size > 200);
  for (const [family, writer] of writers)
    assert.equal((await sourceOf(family, program, parsed)).collector?.name, writer, family);
});

test('no metric at all is an error', () => assert.rejects(runCommand(explain), UsageError));

test('a label that the metric has not is an error', () =>
  assert.rejects(
    runCommand(explain, 'node_load1{foo="x"}', ...OVER_FIXTURES),
    (error) => error instanceof UsageError && /has no label foo: it has none/.test(error.message),
  ));

test('a value that no number alone makes has no place, and the text says so', async () => {
  const { series } = await reportOf('node_uname_info');
  assert.equal(series.length, 1);
  assert.equal(series[0]?.place, undefined);
  const { text } = await runCommand(explain, 'node_uname_info', ...OVER_FIXTURES);
  assert.match(text, /^stands at +unknown: /m);
});

test('the text points at the number', async () => {
  const { text } = await runCommand(explain, 'node_load5', ...OVER_FIXTURES);
  const [, before = '', pointer = ''] = /^ {12}(.*)\n {12}( *\^+)$/m.exec(text) ?? [];
  const value = /^value now +node_load5 (\S+)$/m.exec(text)?.[1] ?? '';
  assert.equal(Number(before.slice(pointer.indexOf('^'), pointer.length)), Number(value));
  assert.match(text, /^collector +loadavg, switched on \(--no-collector\.loadavg switches it off\)$/m);
});

test('labels choose among series', async () => {
  const all = await reportOf('node_cpu_seconds_total');
  assert.ok(all.seriesCount > 3);
  assert.equal(all.series.length, 3);
  const { text } = await runCommand(explain, 'node_cpu_seconds_total', ...OVER_FIXTURES);
  assert.match(text, /^more +\d+ other series: labels in METRIC choose among them$/m);
  assert.equal((await reportOf('node_cpu_seconds_total{mode="idle",cpu="0"}')).seriesCount, 1);
  const none = await runCommand(explain, 'node_cpu_seconds_total{cpu="x"}', ...OVER_FIXTURES);
  assert.match(none.text, /^value now +none: this machine gives no such series$/m);
});

test('a name from the kernel finds the declaration with its pattern, and a collector that is off says so', async () => {
  assert.equal((await reportOf('node_vmstat_pgfault')).collector, 'vmstat');
  assert.equal((await reportOf('node_vmstat_<field>')).seriesCount, 0);
  assert.equal((await reportOf('node_buddyinfo_blocks')).enabled, false);
});

test('what the exporter writes about itself has no collector', async () => {
  const { text } = await runCommand(explain, 'node_scrape_collector_success');
  assert.match(text, /^collector +none: the exporter writes it about itself$/m);
});

/** What is written of the exporter's own CPU time where something listens. */
async function ownText(address: string): Promise<string> {
  const written: string[] = [];
  const program = programThat((part) => written.push(part));
  const ownMetrics = async () => [counter('process_cpu_seconds_total', 'CPU.')];
  await explain(['process_cpu_seconds_total', `--web.listen-address=${address}`], { ...program, ownMetrics });
  return written.join('');
}

test('what the exporter says of itself is asked of the one that serves', async (t) => {
  let body = 'keyhole_layouts_total 1\nprocess_cpu_seconds_total 1.5\n';
  const server = createServer((_, answer) => answer.end(body)).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const text = await ownText(`127.0.0.1:${port}`);
  assert.match(text, /^reads +\/proc\/self\/stat$/m);
  assert.match(text, /^value now +process_cpu_seconds_total 1\.5$/m);
  body = 'process_cpu_seconds_total 2\n';
  assert.match(await ownText(`127.0.0.1:${port}`), /^value now +none here: what answers at \S+ is another exporter$/m);
  assert.match(
    await ownText('127.0.0.1:1'),
    /^value now +none here: http:\/\/127\.0\.0\.1:1\/metrics: .*ECONNREFUSED/m,
  );
});

test("the help of a kernel's own name has the name", async () => {
  const helpNow = async (metric: string): Promise<string> => (await reportOf(metric)).help;
  assert.equal(await helpNow('node_vmstat_pgfault'), 'The field pgfault of /proc/vmstat.');
  assert.equal(await helpNow('node_vmstat_<field>'), 'The field <field> of /proc/vmstat.');
  assert.equal(await helpNow('node_netstat_Tcp_CurrEstab'), 'What the kernel counts for Tcp as CurrEstab.');
  assert.equal(await helpNow('node_netstat_TcpExt_a_b'), 'What the kernel counts for TcpExt as a_b.');
});

test('of counters the event is named, and why there are none', async () => {
  for (const [metric, call] of [
    ['node_perf_instructions_total', 'perf_event_open: PERF_COUNT_HW_INSTRUCTIONS'],
    ['node_perf_context_switches_total', 'perf_event_open: PERF_COUNT_SW_CONTEXT_SWITCHES'],
    [
      'node_perf_cache_ll_read_misses_total',
      'perf_event_open: PERF_COUNT_HW_CACHE_LL, PERF_COUNT_HW_CACHE_OP_READ, PERF_COUNT_HW_CACHE_RESULT_MISS',
    ],
    ['node_perf_available', 'perf_event_open'],
  ] as const) {
    const { reads } = await reportOf(metric);
    assert.equal(reads[0], call);
  }
  // The fixtures' machine may be asked for counters all the same: what opens is a matter of the one that runs this.
  const { seriesCount, why } = await reportOf('node_perf_instructions_total');
  assert.ok(
    seriesCount > 0 || /no counters|keyhole_perf_unavailable\{kind="hardware",reason="[a-z_]+"\}/.test(why ?? ''),
  );
});

test('an unknown metric is an error with a hint', async () => {
  await assert.rejects(runCommand(explain, 'node_lod1'), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.hint, "did you mean 'node_load1'?");
    return true;
  });
  await assert.rejects(
    runCommand(explain, 'go_goroutines'),
    (error) => error instanceof UsageError && /nodejs_\*/.test(error.hint ?? ''),
  );
  await assert.rejects(runCommand(explain, 'what is this'), UsageError);
  await assert.rejects(runCommand(explain, 'x'.repeat(50)), UsageError);
});

test('--help says what it does, and nothing is left behind', async () => {
  assert.match((await runCommand(explain, '--help')).text, /^usage: keyhole explain METRIC/);
  assert.match((await runCommand(explain, '-h')).text, /^usage: keyhole explain METRIC/);
  assert.deepEqual(
    readdirSync(tmpdir()).filter((name) => name.startsWith(`keyhole-explain-${process.pid}-`)),
    [],
  );
});

for (const [type, labels, name, query] of [
  ['counter', [], 'a_total', 'rate(a_total[5m])'],
  ['counter', ['cpu'], 'a_total', 'sum by (instance, cpu) (rate(a_total[5m]))'],
  ['counter', ['cpu', 'mode'], 'a_total', 'sum by (instance, mode) (rate(a_total[5m]))'],
  ['gauge', [], 'a', 'a'],
  ['untyped', [], 'node_vmstat_pgfault', 'rate(node_vmstat_pgfault[5m])'],
  ['untyped', [], 'node_vmstat_nr_dirty', 'node_vmstat_nr_dirty'],
  ['untyped', [], 'node_netstat_Ip6_InOctets', 'rate(node_netstat_Ip6_InOctets[5m])'],
  ['untyped', [], 'node_netstat_Tcp_CurrEstab', 'node_netstat_Tcp_CurrEstab'],
  [
    'counter',
    ['cpu'],
    'node_perf_instructions_total',
    'sum by (instance) (rate(node_perf_instructions_total[5m])) / sum by (instance) (rate(node_perf_cpucycles_total[5m]))',
  ],
  ['gauge', ['b', 'c'], 'a_info', 'count by (b, c) (a_info)'],
  ['gauge', [], 'a_info', 'count by (instance) (a_info)'],
  ['gauge', [], 'a_time_seconds', 'time() - a_time_seconds'],
  ['histogram', [], 'a_bucket', 'histogram_quantile(0.9, sum by (instance, le) (rate(a_bucket[5m])))'],
  ['summary', [], 'a', 'rate(a_sum[5m]) / rate(a_count[5m])'],
] as const)
  test(`the query of the ${type} ${name}`, () => assert.equal(promqlOf({ type, labels }, name), query));

test('every kernel file that a collector reads has a document', () => {
  const files = collectors.flatMap(({ reads }) => reads).filter((file) => /^\/(proc|sys)\//.test(file));
  assert.deepEqual(
    files.filter((file) => documentOf(file) === undefined),
    [],
  );
  assert.equal(documentOf('/etc/os-release'), undefined);
  assert.equal(documentOf('/proc/sys/fs/file-nr'), 'https://docs.kernel.org/admin-guide/sysctl/fs.html');
});
