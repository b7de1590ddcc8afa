import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { createRegistry, type Ready } from '../../src/core/registry.ts';
import { createPages, type Page, type PageSource } from '../../src/server/pages.ts';
import { collectorNamed, keepingLog, type Told } from '../helpers/server.ts';

const ALL = { collectors: undefined, families: undefined };
const own: Ready = { name: 'own', parts: [(out) => out.sample(gauge('own_value', 'Own.'), 1)] };

function pagesOf(collectors: readonly Ready[], others: Partial<PageSource> = {}) {
  const registry = createRegistry(collectors, { timeoutMs: 5000, log: silent });
  return createPages({ registry, log: silent, own, onDropped() {}, ...others });
}

/** An answer that nobody has to wait for. */
function atOnce(answer: Page | Promise<Page>): Page {
  assert.ok(!(answer instanceof Promise));
  return answer;
}

test('where nobody has to wait there is no promise', () => {
  const pages = pagesOf([collectorNamed('cpu')]);
  for (let i = 0; i < 2; i += 1) {
    const answer = atOnce(pages(ALL));
    const text = answer.plain.toString();
    assert.match(text, /^node_test\{collector="cpu"\} 1$/m);
    assert.match(text, /^own_value 1$/m);
    const zipped = answer.gzipped();
    assert.ok(Buffer.isBuffer(zipped));
    assert.equal(answer.gzipped(), zipped, 'compressed once, whoever asks');
    assert.equal(gunzipSync(zipped).toString(), text);
  }
});

test('requests for the same share the scrape that is under way, others do not', async () => {
  let runs = 0;
  const gate = Promise.withResolvers<void>();
  const slow = collectorNamed('slow', () => {
    runs += 1;
    return gate.promise;
  });
  const pages = pagesOf([slow, collectorNamed('cpu')]);
  const [a, b] = [pages(ALL), pages(ALL)];
  assert.ok(a instanceof Promise);
  assert.equal(a, b);
  const other = pages({ collectors: ['slow'], families: undefined });
  assert.notEqual(other, a);
  atOnce(pages({ collectors: ['cpu'], families: undefined }));
  gate.resolve();
  assert.match((await a).plain.toString(), /collector="cpu"\} 1\nnode_test\{collector="slow"\} 1/);
  assert.doesNotMatch((await other).plain.toString(), /collector="cpu"/);
  assert.equal(runs, 1, 'the collector itself runs once');
  await pages(ALL);
  assert.equal(runs, 2);
});

test('each filter has a page of its own, with the families that it wants', () => {
  const pages = pagesOf([collectorNamed('cpu'), collectorNamed('stat')]);
  const series = (collectors: string[] | undefined, ...names: string[]): string[] =>
    atOnce(pages({ collectors, families: names.length === 0 ? undefined : new Set(names) }))
      .plain.toString()
      .match(/^(node_test|own).*/gm) ?? [];
  for (let i = 0; i < 2; i += 1) {
    assert.deepEqual(series(undefined, 'own_value'), ['own_value 1']);
    assert.deepEqual(series(['stat'], 'node_test'), ['node_test{collector="stat"} 1']);
    assert.deepEqual(series([], 'node_test'), []);
    assert.equal(series(undefined).length, 3);
    // More filters than pages are kept.
    for (let k = 0; k < 20; k += 1) assert.deepEqual(series(['cpu'], 'node_test', `x${k}`).length, 1);
  }
});

test('what the exporter says of itself cannot be said by a collector', () => {
  const liar: Ready = { name: 'a', parts: [(out) => out.sample(gauge('own_value', 'Own.'), 7)] };
  const told: Told[] = [];
  let dropped = 0;
  const pages = pagesOf([liar], { log: keepingLog(told), onDropped: (count) => (dropped += count) });
  for (let i = 1; i <= 3; i += 1) {
    assert.match(atOnce(pages(ALL)).plain.toString(), /^own_value 1$/m);
    assert.equal(dropped, i);
  }
  const errors = told.filter(({ level }) => level === 'error');
  assert.deepEqual(
    errors.map(({ fields }) => fields['dropped_series']),
    [1],
    'logged once',
  );
});

test('a fault in what the exporter says of itself does not cost the collectors', () => {
  const broken: Ready = {
    name: 'own',
    parts: [
      () => {
        throw new Error('broken');
      },
      ...own.parts,
    ],
  };
  assert.match(
    atOnce(pagesOf([collectorNamed('cpu')], { own: broken })(ALL)).plain.toString(),
    /^node_test.*\n(.*\n)*own_value 1$/m,
  );
});

const wide = gauge('node_wide', 'Wide.', 'pad');

test('a scrape waits until the page that it would write is compressed', async () => {
  const families = Array.from({ length: 200 }, (_, i) => gauge(`node_wide_${i}`, 'Wide.', 'pad'));
  // Hardly to be compressed, so that it takes longer than anybody may be kept waiting.
  const pads = families.map((_, i) => Array.from({ length: 400 }, (__, k) => hash('sha256', `${i} ${k}`)).join(''));
  let value = 1;
  const large: Ready = {
    name: 'large',
    parts: [
      (out) => {
        for (const [i, family] of families.entries()) out.sample(family, value, pads[i] as string);
      },
    ],
  };
  const pages = pagesOf([large]);
  const first = await pages(ALL);
  const text = Buffer.from(first.plain);
  const zipping = first.gzipped();
  assert.ok(zipping instanceof Promise, 'others run in between');
  value = 2;
  const next = pages(ALL);
  assert.ok(next instanceof Promise, 'it waits');
  assert.ok(gunzipSync(await zipping).equals(text));
  assert.ok((await next).plain.includes('"} 2\n'));
});

test('what scrapes are counted, and each page shows the values of its own scrape', () => {
  const counts: number[] = [];
  let value = 0;
  const moving: Ready = { name: 'moving', parts: [(out) => out.sample(wide, value, 'x')] };
  const pages = pagesOf([moving], { onScraped: (count) => counts.push(count) });
  for (const next of [1, 22, 3]) {
    value = next;
    assert.match(atOnce(pages(ALL)).plain.toString(), new RegExp(`^node_wide\\{pad="x"\\} ${next}$`, 'm'));
  }
  assert.deepEqual(counts, [1, 2, 3]);
});
