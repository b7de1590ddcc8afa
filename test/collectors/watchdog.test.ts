import assert from 'node:assert/strict';
import { test } from 'node:test';
import watchdog from '../../src/collectors/watchdog.ts';
import { errnoOf, NoDataError, ParseError } from '../../src/core/errors.ts';
import { closedDisk, refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('watchdog: the fixtures scrape to the golden text', (t) => golden(t, watchdog));

test('watchdog has no data where there is no such class', async (t) => {
  assert.ok((await scrape(watchdog, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('watchdog fails where the class is closed', async () => {
  const { text, error } = await scrape(watchdog, { disk: closedDisk('EACCES', '/class/watchdog') });
  assert.deepEqual([text, errnoOf(error)], ['', 'EACCES']);
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
  const { text, success } = await scrape(watchdog, {
    root: tree(t, files),
    disk: refusingDisk('ENOTSUP', '/timeleft'),
  });
  assert.ok(success);
  assert.doesNotMatch(text, /timeleft/);
  assert.match(text, /^node_watchdog_timeout_seconds\{name="watchdog0"\} 2$/m);
});
