import assert from 'node:assert/strict';
import { test } from 'node:test';
import mountstats from '../../src/collectors/mountstats.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const mount = (device: string, point: string, age: number): string =>
  `device ${device} mounted on ${point} with fstype nfs4 statvers=1.1\n\tage:\t${age}\n\txprt:\ttcp 1 2 3 4 5 6 7 8 9 10 11 12 13\n\n`;
const info = (device: string, point: string, options: string): string =>
  `50 1 0:50 / ${point} rw shared:1 - nfs4 ${device} ${options}\n`;
const ages = ({ text }: { text: string }): string[] => text.match(/^node_mountstats_nfs_age.*$/gm) ?? [];

test('mountstats: the fixtures scrape to the golden text', (t) => golden(t, mountstats));

test('no NFS is no failure', async (t) => {
  const root = tree(t, { 'proc/self/mountstats': 'device proc mounted on /proc with fstype proc\n' });
  assert.deepEqual(await scrape(mountstats, { root }), { text: '', success: true, error: undefined });
});

test('a mount without a transport is passed over', async (t) => {
  const root = tree(t, {
    'proc/self/mountstats': 'device s:/a mounted on /a with fstype nfs4 statvers=1.1\n\tage:\t1\n\n',
    'proc/self/mountinfo': info('s:/a', '/a', 'rw'),
  });
  assert.deepEqual(await scrape(mountstats, { root }), { text: '', success: true, error: undefined });
});

test('no mountstats is a failure', async (t) => {
  assert.equal((await scrape(mountstats, { root: tree(t, {}) })).success, false);
});

test('the address is found where the two files do not agree line by line', async (t) => {
  const root = tree(t, {
    'proc/self/mountstats': mount('s:/a', '/a', 1) + mount('s:/b', '/b', 2) + mount('s:/c', '/c', 3),
    'proc/self/mountinfo': info('s:/b', '/b', 'rw,addr=10.0.0.2') + info('s:/a', '/a', 'rw,addr=10.0.0.1'),
  });
  assert.deepEqual(ages(await scrape(mountstats, { root })), [
    'node_mountstats_nfs_age_seconds_total{export="s:/a",mountaddr="10.0.0.1",protocol="tcp"} 1',
    'node_mountstats_nfs_age_seconds_total{export="s:/b",mountaddr="10.0.0.2",protocol="tcp"} 2',
    'node_mountstats_nfs_age_seconds_total{export="s:/c",mountaddr="",protocol="tcp"} 3',
  ]);
});

test('a mount that cannot be parsed fails the collector and leaves the others', async (t) => {
  const root = tree(t, {
    'proc/self/mountstats': mount('s:/a', '/a', -1) + mount('s:/b', '/b', 2),
    'proc/self/mountinfo': info('s:/a', '/a', 'rw,addr=10.0.0.1') + info('s:/b', '/b', 'rw,addr=10.0.0.2'),
  });
  const scraped = await scrape(mountstats, { root });
  assert.ok(scraped.error instanceof ParseError);
  assert.equal(ages(scraped).length, 1);
});
