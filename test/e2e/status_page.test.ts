import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
import bcrypt from 'bcryptjs';
import type { Browser, Page } from 'playwright-core';
import { lacksChromium, launchChromium, openPage, picture } from '../helpers/browser.ts';
import { loudly, notRoot } from '../helpers/debian.ts';
import { KEYHOLE, startExporter } from '../helpers/exporter.ts';

const skip = loudly(notRoot() || lacksChromium());
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'keyhole-status-'));
let browser: Browser;

/** The machine's own proc, but for a file that holds nonsense. */
function procWith(name: string, text: string): string {
  const proc = join(folder, 'proc');
  rmSync(proc, { recursive: true, force: true });
  const entries = readdirSync('/proc').filter((entry) => !/^\d+$/.test(entry) && entry !== name);
  const made = mkdtempSync(proc);
  for (const entry of entries) symlinkSync(`/proc/${entry}`, join(made, entry));
  symlinkSync('/proc/1', join(made, '1'));
  writeFileSync(join(made, name), text);
  return made;
}

/** What axe finds on the page: rule, help, and where. The script is run by the debugger, past the page's policy. */
async function violationsOn(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; help: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

/** Pictures show a while. */
const SCRAPES = process.env['KEYHOLE_E2E_SCREENSHOTS'] === undefined ? 1 : 12;

/** Opens the page, and waits until it has all of these charts. */
async function watchSome(page: Page, url: string, charts: number): Promise<void> {
  await page.goto(url);
  await page
    .locator('figure')
    .nth(charts - 1)
    .waitFor();
  for (let i = 1; i < SCRAPES; i += 1) await page.waitForResponse((response) => response.url().includes('name[]='));
}

if (skip === false) {
  before(async () => {
    browser = await launchChromium();
  });
  after(async () => {
    await browser.close();
    rmSync(folder, { recursive: true, force: true });
  });
}

for (const [look, options] of [
  ['light', { colorScheme: 'light' }],
  ['dark', { colorScheme: 'dark' }],
  ['phone', { viewport: { width: 360, height: 740 }, isMobile: true, hasTouch: true, colorScheme: 'light' }],
] as const)
  test(`the page is accessible and complains of nothing: ${look}`, { skip }, async (t) => {
    const procfs = procWith('loadavg', 'nonsense\n');
    const exporter = await startExporter(KEYHOLE, [`--path.procfs=${procfs}`]);
    t.after(() => exporter.stop());
    const { page, faults } = await openPage(t, browser, exporter.url, options);
    await watchSome(page, exporter.url, 4);
    const failed = page.locator('tr.failed');
    await failed.waitFor();
    assert.match(await failed.innerText(), /^loadavg\tfailed\s+\S*loadavg: cannot parse "nonsense/);
    assert.deepEqual(await violationsOn(page), []);
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.equal(wide, 0, 'pixels that do not fit the window');
    await picture(page, look);
    assert.deepEqual(faults, []);
  });

test('denied counters are shown with the reason, and what to change', { skip }, async (t) => {
  const exporter = await startExporter(
    ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all', ...KEYHOLE],
    ['--collector.perf'],
  );
  t.after(() => exporter.stop());
  const { page, faults } = await openPage(t, browser, exporter.url);
  await watchSome(page, exporter.url, 4);
  const verdict = page.locator('section', { has: page.locator('#privileges') });
  await page.locator('tr.failed', { hasText: 'perf' }).waitFor();
  await verdict.getByText('denied').waitFor();
  assert.match(await verdict.innerText(), /Perf counters\s+denied: no counters: .*CAP_PERFMON.*keyhole doctor/s);
  assert.match(await page.locator('#failures').innerText(), /^A collector failed: perf\./);
  assert.match(exporter.log(), /level=WARN .*perf counters are denied.*keyhole doctor/);
  await picture(page, 'denied');
  assert.deepEqual(faults, []);
});

/** Counters of four CPUs, as a machine with a PMU gives them, after so many scrapes. */
const counters = (scrapes: number): string =>
  [0, 1, 2, 3]
    .flatMap((cpu) => [
      `node_perf_cpucycles_total{cpu="${cpu}"} ${scrapes * 4e9}`,
      `node_perf_instructions_total{cpu="${cpu}"} ${scrapes * (3 + cpu) * 1e9}`,
      `node_perf_cache_refs_total{cpu="${cpu}"} ${scrapes * 1e8}`,
      `node_perf_cache_misses_total{cpu="${cpu}"} ${scrapes * (cpu + 1) * 1e7}`,
      `node_perf_branch_instructions_total{cpu="${cpu}"} ${scrapes * 6e8}`,
      `node_perf_branch_misses_total{cpu="${cpu}"} ${scrapes * (cpu + 1) * 3e6}`,
    ])
    .map((line) => `${line}\n`)
    .join('');

test('counters have charts for each CPU', { skip }, async (t) => {
  const exporter = await startExporter(KEYHOLE, ['--collector.perf']);
  t.after(() => exporter.stop());
  const { page, faults } = await openPage(t, browser, exporter.url);
  let scrapes = 0;
  // Not every machine that runs this test has counters: their samples are added to what the exporter gives.
  await page.route(/\/metrics\?/, async (route) => {
    scrapes += 1;
    const answer = await route.fetch();
    const own = (await answer.text()).replaceAll(/^node_perf_(cpucycles|instructions|cache|branch).*\n/gm, '');
    await route.fulfill({ response: answer, body: own + counters(scrapes) });
  });
  await watchSome(page, exporter.url, 7);
  const figure = page.locator('figure', { hasText: 'Instructions per cycle' });
  assert.match(await figure.innerText(), /CPU 0\s+0\.75\s+CPU 1\s+1\.00\s+CPU 2\s+1\.25\s+CPU 3\s+1\.50/);
  assert.match(
    await page.locator('figure', { hasText: 'Cache misses' }).innerText(),
    /CPU 0\s+10 %\s+CPU 1\s+20 %\s+CPU 2\s+30 %/,
  );
  assert.deepEqual(await violationsOn(page), []);
  await picture(page, 'counters');
  assert.deepEqual(faults, []);
});

test('the arrow keys read earlier values', { skip }, async (t) => {
  const exporter = await startExporter();
  t.after(() => exporter.stop());
  const { page } = await openPage(t, browser, exporter.url);
  await watchSome(page, exporter.url, 4);
  await page.waitForResponse((response) => response.url().includes('name[]='));
  const figure = page.locator('figure').first();
  const caption = figure.locator('caption');
  await figure.focus();
  assert.equal(await caption.innerText(), 'now');
  await page.keyboard.press('Home');
  assert.match(await caption.innerText(), /^\d+:\d\d:\d\d/);
  assert.equal(await figure.locator('table').getAttribute('aria-live'), 'polite');
  await page.keyboard.press('Tab');
  assert.equal(await caption.innerText(), 'now');
});

test('without script the page says how the collectors are', { skip }, async (t) => {
  const exporter = await startExporter();
  t.after(() => exporter.stop());
  const { page, faults } = await openPage(t, browser, exporter.url, { javaScriptEnabled: false });
  await page.goto(exporter.url);
  assert.match(await page.locator('main').innerText(), /Nobody has scraped this exporter yet/);
  await exporter.scrape();
  await page.goto(exporter.url);
  assert.ok((await page.locator('tr.ok').count()) > 10);
  assert.match(await page.locator('main').innerText(), /need JavaScript/);
  assert.deepEqual(faults, []);
});

test('a password and a rate limit hold for the page and its charts', { skip }, async (t) => {
  const file = join(folder, 'web.yml');
  // The password is: secret.
  const hash = bcrypt.hashSync('secret', 4);
  writeFileSync(file, `basic_auth_users:\n  somebody: ${hash}\nrate_limit:\n  interval: 1h\n  burst: 6\n`);
  const exporter = await startExporter(KEYHOLE, [`--web.config.file=${file}`]);
  t.after(() => exporter.stop());
  const httpCredentials = { username: 'somebody', password: 'secret' };
  const { page } = await openPage(t, browser, exporter.url, { httpCredentials });
  await page.goto(exporter.url);
  await page.locator('#live-state', { hasText: 'the rate limit of the web configuration is reached' }).waitFor();
  for (const path of ['/', '/status.js', '/status.css', '/metrics'])
    assert.ok([401, 429].includes((await fetch(exporter.url + path)).status), path);
});
