import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, test } from 'node:test';
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
    assert.match(await failed.innerText(), /^loadavg\tfailed\s+loadavg: cannot parse "nonsense/);
    assert.deepEqual(await violationsOn(page), []);
    const wide = await page.evaluate('document.documentElement.scrollWidth - innerWidth');
    assert.equal(wide, 0, 'pixels that do not fit the window');
    await picture(page, look);
    assert.deepEqual(faults, []);
  });
