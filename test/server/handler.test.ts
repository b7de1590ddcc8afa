import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { gauge } from '../../src/core/metric.ts';
import type { Samples } from '../../src/core/samples.ts';
import { parseTarget } from '../../src/server/handler.ts';
import { collectorNamed, exchange, keepingLog, serve, type Told } from '../helpers/server.ts';

const TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores';

const get = (url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Response> =>
  fetch(url, { method, headers: { 'accept-encoding': 'identity', ...headers }, redirect: 'manual' });

const seriesOf = (text: string): string[] => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));

test('a scrape has the collectors, what they took, the build and the exporter itself', async (t) => {
  const { url } = await serve(t);
  const answer = await get(`${url}/metrics`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('content-type'), TYPE);
  const text = await answer.text();
  assert.match(text, /^node_test\{collector="cpu"\} 1\nnode_test\{collector="stat"\} 1$/m);
  assert.match(text, /^node_scrape_collector_success\{collector="stat"\} 1$/m);
  assert.match(
    text,
    /^node_exporter_build_info\{branch="main",goarch="amd64",goos="linux",goversion="v26\.10\.0",revision="abc",tags="",version="1\.2\.3"\} 1$/m,
  );
  assert.match(text, /^promhttp_metric_handler_requests_in_flight 1$/m);
  assert.match(text, /^promhttp_metric_handler_requests_total\{code="200"\} 0$/m);
  assert.match(text, /^process_cpu_seconds_total /m);
  assert.match(await (await get(`${url}/metrics`)).text(), /^promhttp_metric_handler_requests_total\{code="200"\} 1$/m);
});

test('without exporter metrics only the build is left of them', async (t) => {
  const { url } = await serve(t, { exporterMetrics: false });
  const text = await (await get(`${url}/metrics`)).text();
  assert.match(text, /^node_exporter_build_info/m);
  assert.doesNotMatch(text, /^(process|nodejs|promhttp|keyhole_(?!collector))_/m);
});

test('gzip where it is preferred, the same text inside', async (t) => {
  const { port } = await serve(t, { exporterMetrics: false });
  const raw = await exchange(
    t,
    port,
    'GET /metrics?name[]=node_test HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n',
  );
  const [head = '', body = ''] = raw.split('\r\n\r\n', 2);
  assert.match(head, /^Content-Encoding: gzip$/m);
  assert.doesNotMatch(head, /^Vary/m);
  const text = gunzipSync(Buffer.from(raw.slice(head.length + 4), 'latin1')).toString();
  assert.ok(body !== '');
  assert.deepEqual(seriesOf(text), ['node_test{collector="cpu"} 1', 'node_test{collector="stat"} 1']);
});

test('filters choose collectors and families', async (t) => {
  const { url } = await serve(t, { exporterMetrics: false });
  const body = async (query: string): Promise<string> => (await get(`${url}/metrics?${query}`)).text();
  const names = 'name[]=node_test&name[]=node_scrape_collector_success';
  assert.deepEqual(seriesOf(await body(`collect[]=cpu&${names}`)), [
    'node_scrape_collector_success{collector="cpu"} 1',
    'node_test{collector="cpu"} 1',
  ]);
  assert.deepEqual(seriesOf(await body(`exclude[]=cpu&name[]=node_test`)), ['node_test{collector="stat"} 1']);
  // Everything excluded is nothing, not everything.
  assert.deepEqual(seriesOf(await body(`exclude[]=cpu&exclude[]=stat&${names}`)), []);
  assert.equal(await body('name[]=nope'), '');
});

test('a wrong filter is told, and not counted as a scrape', async (t) => {
  const { url } = await serve(t);
  const answer = await get(`${url}/metrics?collect[]=ntp`);
  assert.equal(answer.status, 400);
  assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(
    await answer.text(),
    "Couldn't create filtered metrics handler: couldn't create collector: disabled collector: ntp",
  );
  assert.doesNotMatch(await (await get(`${url}/metrics`)).text(), /code="400"/);
});

test('more scrapes than allowed at once get 503, filtered ones too', async (t) => {
  const gate = Promise.withResolvers<void>();
  const { url } = await serve(t, { requestsMax: 1, collectors: [collectorNamed('cpu', () => gate.promise)] });
  const first = get(`${url}/metrics`);
  await new Promise((resolve) => setImmediate(resolve));
  let answer = await get(`${url}/metrics?collect[]=cpu`);
  while (answer.status === 200) answer = await get(`${url}/metrics?collect[]=cpu`);
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get('x-content-type-options'), 'nosniff');
  assert.equal(await answer.text(), 'Limit of concurrent requests reached (1), try again later.\n');
  gate.resolve();
  assert.equal((await first).status, 200);
  await (await first).text();
  assert.match(await (await get(`${url}/metrics`)).text(), /requests_total\{code="503"\} 1$/m);
});

test('HEAD has the headers alone, other methods are served as GET', async (t) => {
  const { url } = await serve(t);
  const head = await get(`${url}/metrics`, {}, 'HEAD');
  assert.equal(head.status, 200);
  assert.equal(head.headers.get('content-type'), TYPE);
  assert.equal(await head.text(), '');
  assert.match(await (await get(`${url}/metrics`, {}, 'POST')).text(), /^node_test/m);
});

test('with the metrics at / every path has them', async (t) => {
  const { url } = await serve(t, { telemetryPath: '/' });
  for (const path of ['/', '/anything']) assert.match(await (await get(url + path)).text(), /^node_test/m);
});

test('a path that ends with a slash has all below it, and is found without the slash', async (t) => {
  const { url } = await serve(t, { telemetryPath: '/node/metrics/' });
  for (const path of ['/node/metrics/', '/node/metrics/x?collect[]=cpu'])
    assert.match(await (await get(url + path)).text(), /^node_test/m);
  const moved = await get(`${url}/node/metrics?collect[]=cpu`);
  assert.equal(moved.status, 301);
  assert.equal(moved.headers.get('location'), '/node/metrics/?collect[]=cpu');
  assert.match(await (await fetch(`${url}/node/metrics?collect[]=cpu`)).text(), /^node_test/m);
  for (const path of ['/node', '/node/', '/metrics']) assert.equal((await get(url + path)).status, 404);
});

test('other paths are not found, those that are not clean are redirected', async (t) => {
  const { url, port } = await serve(t);
  const missing = await get(`${url}/metrics/`);
  assert.equal(missing.status, 404);
  assert.equal(missing.headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(await missing.text(), '404 page not found\nThe metrics are at /metrics, the status page is at /.\n');
  for (const [path, location] of [
    ['//metrics?a=b', '/metrics?a=b'],
    ['/./metrics', '/metrics'],
    ['//../..', '/'],
    ['//evil.example/%2e%2e', '/'],
    ['//evil.example', '/evil.example'],
    ['/a%0d%0ab//', '/a%0D%0Ab/'],
  ]) {
    const raw = await exchange(t, port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(raw, /^HTTP\/1\.1 301 /);
    assert.equal(/^Location: (.*)\r$/m.exec(raw)?.[1], location);
  }
});

test('a target that is no path is a bad request', async (t) => {
  const { port } = await serve(t);
  for (const target of ['/%zz', '*', 'nonsense']) {
    const raw = await exchange(t, port, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.match(raw, /^HTTP\/1\.1 400 /);
  }
});

test('parseTarget takes whole addresses too', () => {
  assert.deepEqual(parseTarget('http://h:1/metrics?a'), { path: '/metrics', query: 'a' });
  assert.deepEqual(parseTarget('http://h'), { path: '/', query: '' });
  assert.deepEqual(parseTarget('/a%20b?x?y'), { path: '/a b', query: 'x?y' });
});

test('whatever the target, it is a path or refused', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (target) => {
      const found = parseTarget(target);
      if (found !== undefined) assert.ok(found.path.startsWith('/'));
    }),
  );
});

test('series that were there already are left out, counted, and told once', async (t) => {
  const family = gauge('node_twice', 'Twice.');
  const twice = (out: Pick<Samples, 'sample'>): void => {
    out.sample(family, 1);
    out.sample(family, 2);
  };
  const told: Told[] = [];
  const { url } = await serve(t, { collectors: [{ name: 'twice', parts: [twice] }], log: keepingLog(told) });
  await (await get(`${url}/metrics`)).text();
  const text = await (await get(`${url}/metrics`)).text();
  assert.match(text, /^node_twice 1$/m);
  assert.match(text, /^keyhole_dropped_series_total 1$/m);
  assert.match(text, /^promhttp_metric_handler_errors_total\{cause="gathering"\} 1$/m);
  assert.equal(told.filter(({ level }) => level === 'error').length, 1);
});

test('equal scrapes at the same time run the collectors once', async (t) => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const slow = collectorNamed('cpu', () => {
    runs += 1;
    return gate.promise;
  });
  const { url } = await serve(t, { collectors: [slow] });
  const all = Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      get(`${url}/metrics`, { 'accept-encoding': i % 2 === 0 ? 'gzip' : 'identity' }).then((answer) => answer.text()),
    ),
  );
  const inFlight = async (): Promise<number> => {
    const text = await (await get(`${url}/metrics?exclude[]=cpu`)).text();
    return Number(/^promhttp_metric_handler_requests_in_flight (.*)$/m.exec(text)?.[1]);
  };
  while ((await inFlight()) < 21);
  gate.resolve();
  for (const text of await all) assert.match(text, /^node_test\{collector="cpu"\} 1$/m);
  assert.equal(runs, 1);
});
