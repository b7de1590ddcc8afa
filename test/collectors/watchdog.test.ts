import assert from 'node:assert/strict';
import { test } from 'node:test';
import watchdog from '../../src/collectors/watchdog.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import type { KernelFs } from '../../src/core/kernel_fs.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('watchdog: the fixtures scrape to the golden text', (t) => golden(t, watchdog));

test('watchdog has no data where there is no such class', async (t) => {
  assert.ok((await scrape(watchdog, { root: tree(t, {}) })).error instanceof NoDataError);
});

for (const code of ['EACCES', 'EINVAL'])
  test(`watchdog has no data where the kernel answers ${code}`, async () => {
    const refusing = (fs: KernelFs): KernelFs => ({
      ...fs,
      list() {
        throw Object.assign(new Error(code), { code });
      },
    });
    assert.ok((await scrape(watchdog, { wrap: refusing })).error instanceof NoDataError);
  });

test('watchdog refuses what is not a number', async (t) => {
  const root = tree(t, { 'sys/class/watchdog/watchdog0/timeout': 'soon\n' });
  assert.ok((await scrape(watchdog, { root })).error instanceof ParseError);
});
