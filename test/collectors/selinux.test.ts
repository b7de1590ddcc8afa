import assert from 'node:assert/strict';
import { test } from 'node:test';
import selinux, { parseConfigMode } from '../../src/collectors/selinux.ts';
import { ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

for (const [text, mode] of [
  ['# comment\nSELINUX=enforcing\nSELINUXTYPE=targeted\n', 1],
  ['SELINUXTYPE=targeted\n  SELINUX = "permissive" \n', 0],
  ['SELINUX=disabled\n', -1],
  ['SELINUX=whatever\n', -1],
  ['#SELINUX=enforcing\nSELINUXTYPE=targeted\n', -1],
  ['', -1],
] as const)
  test(`parseConfigMode reads ${JSON.stringify(text)}`, () => assert.equal(parseConfigMode(text), mode));

const ON = { 'sys/fs/selinux/enforce': '0', 'proc/self/attr/current': 'system_u:system_r:init_t:s0\0' };
const values = ({ text }: { text: string }): string[] => text.split('\n').filter((line) => /^[^#]/.test(line));

test('selinux: a machine that enforces, with a config, scrapes to the golden text', (t) => {
  const root = tree(t, { ...ON, 'sys/fs/selinux/enforce': '1', 'host/etc/selinux/config': 'SELINUX=permissive\n' });
  return golden(t, selinux, { root, rootfs: `${root}/host` });
});

test('without a config no mode is set', async (t) => {
  const root = tree(t, ON);
  assert.deepEqual(values(await scrape(selinux, { root, rootfs: root })), [
    'node_selinux_config_mode -1',
    'node_selinux_current_mode 0',
    'node_selinux_enabled 1',
  ]);
});

test('a config that may not be read may say anything', async (t) => {
  const root = tree(t, { ...ON, 'etc/selinux/config': 'SELINUX=enforcing\n' });
  const { text, success } = await scrape(selinux, {
    root,
    rootfs: root,
    disk: refusingDisk('EACCES', 'selinux/config'),
  });
  assert.ok(success);
  assert.doesNotMatch(text, /config_mode/);
});

for (const [why, files] of [
  ['without selinuxfs', { 'proc/self/attr/current': 'unconfined\n' }],
  ['without a policy', { ...ON, 'proc/self/attr/current': 'kernel\0' }],
] as const)
  test(`${why} it is off`, async (t) => {
    const root = tree(t, files);
    assert.deepEqual(values(await scrape(selinux, { root, rootfs: root })), ['node_selinux_enabled 0']);
  });

test('a mode that is no number costs itself alone', async (t) => {
  const root = tree(t, { ...ON, 'sys/fs/selinux/enforce': 'yes' });
  const scraped = await scrape(selinux, { root, rootfs: root });
  assert.ok(scraped.error instanceof ParseError);
  assert.deepEqual(values(scraped), ['node_selinux_config_mode -1', 'node_selinux_enabled 1']);
});
