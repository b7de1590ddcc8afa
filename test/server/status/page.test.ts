import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { CollectorState } from '../../../src/core/collector_state.ts';
import { type PageFacts, type PrivilegeFacts, statusPage } from '../../../src/server/status/page.ts';

const stateOf = (name: string, state: CollectorState['state'], rest: Partial<CollectorState> = {}): CollectorState => ({
  name,
  state,
  durationSeconds: 0.00042,
  series: 7,
  faults: 0,
  ...rest,
});

const privilege: PrivilegeFacts = {
  stage: 'sealed',
  permitted_at_start: 'perfmon',
  permitted: 'none',
  capable_threads: 0,
  threads: 5,
  no_new_privs: true,
  uid: 65534,
  landlock: 7,
  seccomp: true,
  descriptors: 'perf:252',
};

const pageOf = (facts: Partial<PageFacts> = {}): string =>
  statusPage({
    host: 'db1',
    version: '1.2.3',
    revision: 'abc',
    telemetryPath: '/metrics',
    states: [stateOf('cpu', 'ok')],
    disabled: ['perf'],
    privilege,
    ...facts,
  });

const rowOf = (html: string, name: string): string =>
  new RegExp(`<tr[^>]*><th scope="row"><a[^>]*>${name}</a>.*</tr>`).exec(html)?.[0] ?? '';

test('every collector has its state, the reason, its series and its time', () => {
  const html = pageOf({
    states: [
      stateOf('cpu', 'ok'),
      stateOf('bcache', 'ok', { series: 0, remark: 'there is no /sys/fs/bcache' }),
      stateOf('netstat', 'ok', { remark: 'there is no /proc/net/snmp6' }),
      stateOf('textfile', 'ok', { error: '/t/x.prom: odd', faults: 2 }),
      stateOf('zfs', 'no_data', { error: 'no ZFS', series: 0 }),
      stateOf('hwmon', 'failed', { error: 'temp1: EIO', faults: 3, durationSeconds: 2.5 }),
      stateOf('stat', 'failed', { error: 'EIO', faults: 1, durationSeconds: 0.25 }),
      stateOf('arp', 'never_run'),
    ],
  });
  assert.match(rowOf(html, 'cpu'), /class="ok".*>ok<.*>7<.*>0\.42 ms</);
  assert.match(rowOf(html, 'bcache'), />ok, nothing to report<.*>there is no \/sys\/fs\/bcache</);
  assert.doesNotMatch(rowOf(html, 'netstat'), /there is no/);
  assert.match(rowOf(html, 'textfile'), />ok in part<.*>\/t\/x\.prom: odd</);
  assert.match(rowOf(html, 'zfs'), />nothing here<.*>no ZFS</);
  assert.match(rowOf(html, 'hwmon'), />failed<.*>3 faults, one of them: temp1: EIO<.*>2\.50 s</);
  assert.match(rowOf(html, 'stat'), />EIO<.*>250 ms</);
  assert.match(rowOf(html, 'arp'), />not run yet<.*<td class="number"><\/td>/);
  assert.match(html, /id="failures">2 collectors failed: hwmon, stat\./);
  assert.ok(html.indexOf('>hwmon<') < html.indexOf('>cpu<'), 'what failed comes first');
  assert.match(
    html,
    /Of 8 collectors, 2 failed, 3 gave metrics, 1 had nothing to report, 1 found nothing of their kind on this machine, 1 have/,
  );
});

test('perf counters that are open in part have the reason for the others', () => {
  const html = pageOf({ states: [stateOf('perf', 'ok', { remark: 'no PMU' })], disabled: [] });
  assert.match(html, /<dt>Perf counters<\/dt><dd>open, but no PMU<\/dd>/);
  assert.match(html, /<p id="missing">Charts of perf counters are missing: no PMU\.<\/p>/);
  assert.match(pageOf({ states: [stateOf('perf', 'ok')] }), /<p id="missing"><\/p>/);
});

test('what to change is on the page once', () => {
  const html = pageOf({ states: [stateOf('perf', 'failed', { error: 'no counters: EACCES. Remedy: change it' })] });
  assert.equal(html.split('change it').length, 2);
  assert.match(rowOf(html, 'perf'), /no counters: EACCES\. <a href="#privileges">Remedy<\/a></);
  assert.match(html, /<p id="missing">Charts of perf counters are missing: no counters: EACCES\.<\/p>/);
});

test('before the first scrape the page says how to get one', () => {
  assert.match(pageOf({ states: [stateOf('cpu', 'never_run')] }), /Nobody has scraped this exporter yet/);
  assert.doesNotMatch(pageOf(), /Nobody has scraped/);
  assert.match(pageOf({ states: [] }), /Of 0 collectors, none is switched on/);
});

test('links are below the page, wherever a proxy puts it', () => {
  const html = pageOf({ telemetryPath: '/a"b?c#d' });
  assert.match(html, /href="\.\/a%22b%3Fc%23d"/);
  assert.match(html, /href="\.\/a%22b%3Fc%23d\?collect\[\]=cpu"/);
  assert.doesNotMatch(html, /(href|src)="\//);
});

for (const [what, facts, expected] of [
  ['off', {}, /Perf counters<\/dt><dd>switched off; <code>--collector\.perf/],
  ['not there', { disabled: [] }, /not part of this exporter/],
  ['open', { states: [stateOf('perf', 'ok')] }, /Perf counters<\/dt><dd>open</],
  ['not read', { states: [stateOf('perf', 'never_run')] }, /Perf counters<\/dt><dd>not read yet</],
  [
    'denied',
    { states: [stateOf('perf', 'failed', { error: 'no <b>' })] },
    /<dd>denied: no &#60;b&#62;\. <code>keyhole doctor/,
  ],
] as const)
  test(`the verdict on perf counters: ${what}`, () => assert.match(pageOf(facts), expected));

test('what the process holds is said in words', () => {
  assert.match(pageOf(), /The process is sealed: .*Threads with a capability<\/dt><dd>0 of 5<.*<dd>set<.*perf 252/s);
  assert.match(pageOf(), /User<\/dt><dd>65534<.*Sandbox<\/dt><dd>Landlock, version 7, and a filter of system calls</s);
  const bare = pageOf({ privilege: { ...privilege, uid: 0, landlock: 0, seccomp: false } });
  assert.match(bare, /User<\/dt><dd>0 \(root\)<.*Sandbox<\/dt><dd>none</s);
  assert.match(pageOf({ privilege: { ...privilege, stage: 'direct' } }), /started without any capability/);
  assert.doesNotMatch(pageOf({ privilege: undefined }), /Capabilities now/);
  assert.doesNotMatch(pageOf({ disabled: [] }), /Switched off/);
});

test('no text of a kernel or a host becomes markup', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const html = pageOf({ host: text, states: [stateOf('cpu', 'failed', { error: text })] });
      const tags = (page: string): string[] => page.match(/<[a-z!/][^>]*>/g) ?? [];
      assert.deepEqual(tags(html), tags(pageOf({ host: 'x', states: [stateOf('cpu', 'failed', { error: 'x' })] })));
    }),
  );
});
