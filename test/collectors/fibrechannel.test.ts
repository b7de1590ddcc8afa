import assert from 'node:assert/strict';
import { test } from 'node:test';
import fibrechannel from '../../src/collectors/fibrechannel.ts';
import { errnoOf, NoDataError, ParseError } from '../../src/core/errors.ts';
import { closedDisk, refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const HOST = 'sys/class/fc_host/host0';
const values = ({ text }: { text: string }): string[] =>
  text.split('\n').filter((line) => /^[^#]/.test(line) && !line.includes('_info{'));

test('fibrechannel: the fixtures scrape to the golden text', (t) => golden(t, fibrechannel));

test('without the class there are no data', async (t) => {
  assert.ok((await scrape(fibrechannel, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('statistics that may not be listed cost themselves alone', async () => {
  const { text, error } = await scrape(fibrechannel, { disk: closedDisk('EACCES', 'host3/statistics') });
  assert.equal(errnoOf(error), 'EACCES');
  assert.match(text, /node_fibrechannel_info\{.*fc_host="host3"/);
  assert.doesNotMatch(text, /_total\{fc_host="host3"/);
});

test('an online host that lacks a statistic gives the others', async (t) => {
  const root = tree(t, { [`${HOST}/port_state`]: 'Online\n', [`${HOST}/statistics/rx_frames`]: '0x10\n' });
  assert.deepEqual(values(await scrape(fibrechannel, { root })), [
    'node_fibrechannel_rx_frames_total{fc_host="host0"} 16',
  ]);
});

test('a host of unknown state that still counts gives its counts, and 0 for the rest', async (t) => {
  const root = tree(t, { [`${HOST}/port_state`]: 'Unknown\n', [`${HOST}/statistics/rx_frames`]: '0x10\n' });
  const all = values(await scrape(fibrechannel, { root }));
  assert.equal(all.length, 14);
  assert.deepEqual(
    all.filter((line) => !line.endsWith(' 0')),
    ['node_fibrechannel_rx_frames_total{fc_host="host0"} 16'],
  );
});

test('a statistic that is no number is refused; the other hosts are told', async (t) => {
  const other = HOST.replace('host0', 'host1');
  const root = tree(t, {
    [`${HOST}/port_state`]: 'Online\n',
    [`${HOST}/statistics/rx_frames`]: 'many\n',
    [`${other}/port_state`]: 'Online\n',
    [`${other}/statistics/rx_frames`]: '0x10\n',
  });
  const { text, error } = await scrape(fibrechannel, { root });
  assert.ok(error instanceof ParseError);
  assert.match(error.message, /host0\/statistics\/rx_frames.*many/);
  assert.match(text, /^node_fibrechannel_rx_frames_total\{fc_host="host1"\} 16$/m);
});

test('what the driver refuses is left out', async () => {
  const { text, success } = await scrape(fibrechannel, { disk: refusingDisk('ENOTSUP', 'host3/statistics/rx_words') });
  assert.ok(success);
  assert.match(text, /tx_words/);
  assert.doesNotMatch(text, /rx_words_total\{fc_host="host3"/);
});
