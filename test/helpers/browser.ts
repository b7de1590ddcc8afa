import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { TestContext } from 'node:test';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { lacksPackages } from './debian.ts';

/** Debian's Chromium; the fonts are for screenshots that look as elsewhere. */
export const lacksChromium = (): string | false => lacksPackages('chromium', 'fonts-dejavu-core');

/** A headless Chromium that asks nobody else for anything. */
export const launchChromium = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });

export interface Opened {
  readonly page: Page;
  /** What the console and the policy of the page complained of, and requests that went elsewhere. */
  readonly faults: readonly string[];
}

/** A page in a context of its own, which goes away with the test. `allowed` is where it may send requests to. */
export async function openPage(
  t: TestContext,
  browser: Browser,
  allowed: string,
  options: BrowserContextOptions = {},
): Promise<Opened> {
  const context = await browser.newContext(options);
  t.after(() => context.close());
  const page = await context.newPage();
  const faults: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  page.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  page.on('request', (request) => {
    const { origin } = new URL(request.url());
    if (origin !== allowed && !request.url().startsWith('data:')) faults.push(`request: ${request.url()}`);
  });
  return { page, faults };
}

/** Keeps pictures, of the window and of the whole page, where $KEYHOLE_E2E_SCREENSHOTS names a folder. */
export async function picture(page: Page, name: string): Promise<void> {
  const folder = process.env['KEYHOLE_E2E_SCREENSHOTS'];
  if (folder === undefined) return;
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`) });
  await page.screenshot({ path: join(folder, `${name}_whole.png`), fullPage: true });
}
