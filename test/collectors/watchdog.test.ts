import assert from 'node:assert/strict';
import { test } from 'node:test';
import watchdog from '../../src/collectors/watchdog.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import type { Tree } from '../../src/core/host.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('watchdog: the fixtures scrape to the golden text', (t) => golden(t, watchdog));

test('watchdog has no data where there is no such class', async (t) => {
  assert.ok((await scrape(watchdog, { root: tree(t, {}) })).error instanceof NoDataError);
});

for (const code of ['EACCES', 'EINVAL'])
  test(`watchdog has no data where the kernel answers ${code}`, async () => {
    const refusing = (fs: Tree): Tree => ({
      ...fs,
      list() {
        throw Object.assign(new Error(code), { code });
      },
    });
    assert.ok((await scrape(watchdog, { wrap: refusing })).error instanceof NoDataError);
  });

test('watchdog refuses what is not a number, and tells of the other watchdogs', async (t) => {
  const root = tree(t, {
    'sys/class/watchdog/watchdog0/timeout': 'soon\n',
    'sys/class/watchdog/watchdog1/timeout': '0x3c\n',
  });
  const { text, error } = await scrape(watchdog, { root });
  assert.ok(error instanceof ParseError);
  assert.match(text, /^node_watchdog_timeout_seconds\{name="watchdog1"\} 60$/m);
});

test('watchdog passes over what its driver refuses to tell', async (t) => {
  const files = { 'sys/class/watchdog/watchdog0/timeleft': '1\n', 'sys/class/watchdog/watchdog0/timeout': '2\n' };
  const refusing = (fs: Tree): Tree => ({
    ...fs,
    readOnce(path) {
      if (path.endsWith('timeleft')) throw Object.assign(new Error('ENOTSUP'), { code: 'ENOTSUP' });
      return fs.readOnce(path);
    },
  });
  const { text, success } = await scrape(watchdog, { root: tree(t, files), wrap: refusing });
  assert.ok(success);
  assert.doesNotMatch(text, /timeleft/);
  assert.match(text, /^node_watchdog_timeout_seconds\{name="watchdog0"\} 2$/m);
});
