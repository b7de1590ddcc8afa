import assert from 'node:assert/strict';
import { test } from 'node:test';
import mountstats from '../../src/collectors/mountstats.ts';
import { ParseError } from '../../src/core/errors.ts';
import { samplesIn } from '../helpers/odd.ts';
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

const A = mount('s:/a', '/a', 1);
const B = mount('s:/b', '/b', 2);
const INFO = info('s:/a', '/a', 'rw,addr=10.0.0.1') + info('s:/b', '/b', 'rw,addr=10.0.0.2');

for (const [why, text, odd, isWithout] of [
  ['an age that is none', A.replace('age:\t1', 'age:\t-1') + B, 'age:\t-1', /age_seconds_total\{export="s:\/a"/],
  ['a transport that is odd', A.replace('tcp 1', 'tcp x') + B, 'tcp x', /_transport_.*export="s:\/a"/],
  ['a first line that is cut short', `device s:/a mounted\n${B}`, 'device s:/a mounted', /export="s:\/a"/],
  ['a version that is new to us', A.replace('=1.1', '=9') + B, 'statvers=9', /export="s:\/a"/],
] as const)
  test(`mountstats: ${why} costs itself alone`, async (t) => {
    const files = (stats: string) => ({ 'proc/self/mountstats': stats, 'proc/self/mountinfo': INFO });
    const usual = samplesIn((await scrape(mountstats, { root: tree(t, files(A + B)) })).text);
    const { text: written, error } = await scrape(mountstats, { root: tree(t, files(text)) });
    assert.ok(error instanceof ParseError);
    assert.ok(error.message.includes(JSON.stringify(odd).slice(1, -1)), error.message);
    assert.deepEqual(
      samplesIn(written),
      usual.filter((line) => !isWithout.test(line)),
    );
  });

test('mountstats: where no connection can be read, the options say the protocol', async (t) => {
  const odd = A.replace('\tage', '\topts:\trw,mountproto=udp,proto=tcp6,sec=sys\n\tage').replace('tcp 1', 'quic 1');
  const root = tree(t, { 'proc/self/mountstats': odd, 'proc/self/mountinfo': INFO });
  const scraped = await scrape(mountstats, { root });
  assert.ok(scraped.error instanceof ParseError);
  assert.deepEqual(ages(scraped), [
    'node_mountstats_nfs_age_seconds_total{export="s:/a",mountaddr="10.0.0.1",protocol="tcp"} 1',
  ]);
});

test('a transport behind one that is odd keeps its number', async (t) => {
  const two = A.replace('\txprt', '\txprt:\ttcp x\n\txprt');
  const { text } = await scrape(mountstats, {
    root: tree(t, { 'proc/self/mountstats': two, 'proc/self/mountinfo': INFO }),
  });
  assert.deepEqual(text.match(/(?<=^node_mountstats_nfs_transport_bind_total.*transport=")\d+/gm), ['1']);
});

test('a line of mountinfo that is cut short does not cost the addresses of the others', async (t) => {
  const root = tree(t, { 'proc/self/mountstats': A + B, 'proc/self/mountinfo': `50 1 0:50 / /x\n${INFO}` });
  assert.match((await scrape(mountstats, { root })).text, /export="s:\/b",mountaddr="10.0.0.2"/);
});
