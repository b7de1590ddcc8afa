import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { compare } from '../../src/cli/compare.ts';
import { type Comparison, isNear } from '../../src/cli/comparison.ts';
import { UsageError } from '../../src/core/errors.ts';

const TLS = new URL('../fixtures/tls/', import.meta.url);

const FIRST = `# TYPE node_load1 gauge
node_load1 0.5
# TYPE node_disk_read_bytes_total counter
node_disk_read_bytes_total{device="sda"} 100
node_disk_read_bytes_total{device="sdb"} 7
# TYPE go_goroutines gauge
go_goroutines 9
# TYPE node_exporter_build_info gauge
node_exporter_build_info{version="1.5.0"} 1
# TYPE job_seconds histogram
job_seconds_bucket{le="1"} 2
job_seconds_bucket{le="+Inf"} 3
job_seconds_sum 4
job_seconds_count 3
`;

let folder = '';
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'keyhole-compare-'));
});
after(() => rmSync(folder, { recursive: true }));

function fileOf(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

async function run(...argv: readonly string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const add = (part: string): void => {
    text += part;
  };
  const status = await compare(argv, { apartMs: 1, write: add, complain: add });
  return { status, text };
}

async function listening(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const CHANGES: readonly (readonly [what: string, second: string, status: number, shown: RegExp | string])[] = [
  ['nothing', FIRST, 0, /^Nothing is lost\./],
  [
    'another order and spelling',
    FIRST.split(/(?=# TYPE)/)
      .reverse()
      .join(''),
    0,
    /^Nothing is lost\./,
  ],
  ['the exporter’s own', FIRST.replaceAll('go_', 'nodejs_').replace('1.5.0', '0.1.0'), 0, /go_goroutines/],
  [
    'a family',
    FIRST.replace(/.*node_load1.*\n/g, ''),
    1,
    'Families that the second has not:\n  node_load1 (gauge, 1 series)',
  ],
  ['a type', FIRST.replace('node_load1 gauge', 'node_load1 counter'), 1, 'node_load1: gauge, now counter'],
  [
    'a series',
    FIRST.replace(/.*sdb.*\n/, ''),
    1,
    'Series that the second has not:\n  node_disk_read_bytes_total{device="sdb"}',
  ],
  ['a label', FIRST.replace('device="sdb"', 'path="x"'), 1, 'node_disk_read_bytes_total{device="sdb"}'],
  [
    'nothing, where a label comes in addition',
    FIRST.replace('device="sdb"', 'device="sdb",path="x"'),
    0,
    'node_disk_read_bytes_total{device="sdb"}: now node_disk_read_bytes_total{device="sdb",path="x"}',
  ],
  [
    'nothing, where that has no value',
    FIRST.replace('device="sdb"', 'device="sdb",path=""'),
    0,
    /^Nothing is lost\.(?!.*sdb)/s,
  ],
  ['a bucket', FIRST.replace('job_seconds_bucket{le="1"} 2\n', ''), 1, 'job_seconds_bucket{le="1"}'],
  ['a value', FIRST.replace('"sda"} 100', '"sda"} 300'), 0, 'node_disk_read_bytes_total{device="sda"}: 100, now 300'],
  [
    'a further family',
    `${FIRST}node_more 1\n`,
    0,
    'Families that the second has besides:\n  node_more (untyped, 1 series)',
  ],
];

describe('compare shows what the second lost', () => {
  for (const [what, second, status, shown] of CHANGES)
    test(what, async () => {
      const places = [fileOf('first.prom', FIRST), fileOf('second.prom', second)];
      const answer = await run(...places);
      assert.equal(answer.status, status, answer.text);
      if (typeof shown === 'string') assert.ok(answer.text.includes(shown), answer.text);
      else assert.match(answer.text, shown);
      const json = await run('--json', ...places);
      assert.equal(json.status, status);
      const { lost } = JSON.parse(json.text) as Comparison;
      assert.equal(lost.families.length + lost.types.length + lost.series.length > 0, status === 1);
    });
});

test('long lists are cut for people, and whole in JSON', async () => {
  const many = Array.from({ length: 30 }, (_, i) => `node_many_${i} 1\n`).join('');
  const places = [fileOf('many.prom', many), fileOf('none.prom', 'node_other 1\n')];
  assert.match((await run(...places)).text, /and 10 more \(--json has all\)/);
  assert.equal((JSON.parse((await run('--json', ...places)).text) as Comparison).lost.families.length, 30);
});

test('a value may be where the first could have been', () => {
  for (const [value, first, later] of [
    [5, 5, 5],
    [Number.NaN, Number.NaN, Number.NaN],
    [104, 100, 100],
    [110, 100, 104],
    [-104, -100, -100],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ] as const)
    assert.ok(isNear(value, first, later), `${value}: ${first}, ${later}`);
  for (const [value, first, later] of [
    [1, 0, 0],
    [0, 1, 1],
    [200, 100, 101],
    [Number.NaN, 1, 1],
    [1, Number.NaN, Number.NaN],
  ] as const)
    assert.ok(!isNear(value, first, later), `${value}: ${first}, ${later}`);
});

test('what moves in the first between two scrapes may differ, and what comes or goes is no loss', async (t) => {
  let scrapes = 0;
  const port = await listening(
    t,
    createServer((_, answer) => {
      scrapes += 1;
      answer.end(`node_counter ${scrapes * 1000}\nnode_steady 1\n${scrapes === 1 ? 'node_short_lived 1\n' : ''}`);
    }),
  );
  const { status, text } = await run(
    `http://127.0.0.1:${port}`,
    fileOf('moved.prom', 'node_counter 5000\nnode_steady 1\n'),
  );
  assert.equal(status, 0, text);
  assert.doesNotMatch(text, /node_counter/);
  assert.equal(scrapes, 2);
});

test('with a password and over TLS', async (t) => {
  const seen: (string | undefined)[] = [];
  const options = { key: readFileSync(new URL('server.key', TLS)), cert: readFileSync(new URL('server.crt', TLS)) };
  const port = await listening(
    t,
    createSecureServer(options, (request, answer) => {
      seen.push(`${request.url} ${request.headers.authorization}`);
      if (request.headers.authorization === undefined) answer.writeHead(401);
      answer.end(request.headers.authorization === undefined ? 'Unauthorized\n' : FIRST);
    }),
  );
  const file = fileOf('tls.prom', FIRST);
  const url = `https://name:p%40ss@127.0.0.1:${port}/`;
  const refused = await run(url, file);
  assert.equal(refused.status, 2);
  assert.match(refused.text, /certificate/);
  assert.doesNotMatch(refused.text, /p%40ss|p@ss/);
  const { status, text } = await run('--insecure', url, file);
  assert.equal(status, 0, text);
  assert.doesNotMatch(text, /p%40ss|p@ss/);
  assert.deepEqual(seen, Array(2).fill(`/metrics Basic ${Buffer.from('name:p@ss').toString('base64')}`));
  const unknown = await run('--insecure', `https://127.0.0.1:${port}`, file);
  assert.equal(unknown.status, 2);
  assert.match(unknown.text, /status 401: Unauthorized/);
});

test('what cannot be read has status 2 and a reason', async () => {
  const good = fileOf('good.prom', FIRST);
  for (const [place, reason] of [
    [join(folder, 'missing'), /ENOENT/],
    [fileOf('bad.prom', 'a b c\n'), /line 1/],
    ['http://127.0.0.1:1/metrics', /ECONNREFUSED/],
    ['http://', /Invalid URL/],
  ] as const)
    for (const places of [
      [place, good],
      [good, place],
    ]) {
      const { status, text } = await run(...places);
      assert.equal(status, 2);
      assert.match(text, reason);
    }
});

test('--help explains, and a wrong number of places is an error of usage', async () => {
  const { status, text } = await run('--help');
  assert.equal(status, 0);
  assert.match(text, /^usage: keyhole compare/);
  await assert.rejects(run('one'), UsageError);
  await assert.rejects(run('one', 'two', 'three'), UsageError);
  await assert.rejects(run('--jason', 'one', 'two'), UsageError);
});
