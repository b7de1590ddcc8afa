import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { render } from '../../src/core/exposition.ts';
import {
  createExporterMetrics,
  parseIpBytes,
  parseLimits,
  parseProcessStat,
} from '../../src/server/exporter_metrics.ts';

test('parseProcessStat counts the fields after the name, whatever the name holds', () => {
  const text =
    '4711 (a) (b c) S 1 4711 4711 0 -1 4194560 5353 0 3 0 250 50 0 0 20 0 7 0 88123 700123456 9000 18446744073709551615 1 1 0\n';
  assert.deepEqual(parseProcessStat(text), {
    cpuSeconds: 3,
    startTicks: 88123,
    virtualBytes: 700123456,
    residentPages: 9000,
  });
});

for (const text of ['', '1 (x) S 1', 'no parenthesis'])
  test(`parseProcessStat refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseProcessStat(text), ParseError));

test('parseLimits takes the soft limits; none is 2^64', () => {
  const text = [
    'Limit                     Soft Limit           Hard Limit           Units     ',
    'Max address space         unlimited            unlimited            bytes     ',
    'Max open files            1024                 524288               files     ',
    '',
  ].join('\n');
  assert.deepEqual(parseLimits(text), { openFiles: 1024, addressSpace: 2 ** 64 });
  assert.deepEqual(parseLimits(''), { openFiles: undefined, addressSpace: undefined });
});

test('parseIpBytes finds its columns by name', () => {
  const text = 'TcpExt: A B\nTcpExt: 1 2\nIpExt: InNoRoutes InOctets OutOctets\nIpExt: 0 123 456\n';
  assert.deepEqual(parseIpBytes(text), { received: 123, sent: 456 });
  assert.equal(parseIpBytes('TcpExt: A\nTcpExt: 1\n'), undefined);
});

test("the exporter's own metrics are those of this process", () => {
  const text = render([createExporterMetrics()()]).text;
  const numberOf = (name: string): number => Number(new RegExp(`^${name} (.*)$`, 'm').exec(text)?.[1]);
  assert.ok(Math.abs(numberOf('process_start_time_seconds') - (Date.now() / 1000 - process.uptime())) < 2);
  assert.ok(numberOf('process_cpu_seconds_total') > 0);
  assert.ok(numberOf('process_resident_memory_bytes') > 10e6);
  assert.ok(numberOf('process_virtual_memory_bytes') > numberOf('process_resident_memory_bytes'));
  assert.ok(numberOf('process_open_fds') > 3 && numberOf('process_open_fds') < numberOf('process_max_fds'));
  assert.ok(numberOf('nodejs_heap_size_used_bytes') < numberOf('nodejs_heap_size_total_bytes'));
  assert.match(text, /^nodejs_version_info\{.*version="v26\./m);
});
