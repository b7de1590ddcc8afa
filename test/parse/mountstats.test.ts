import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../src/core/errors.ts';
import { parseMountstats } from '../../src/parse/mountstats.ts';

const nfs = (body: string, statvers = ' statvers=1.1', type = 'nfs4'): string =>
  `device s:/e mounted on /m with fstype ${type}${statvers}\n${body}\n`;
const transport = (line: string, statvers?: string) => {
  const { mounts, faults } = parseMountstats(nfs(`\txprt:\t${line}\n`, statvers));
  if (faults.length > 0) throw faults[0];
  return mounts[0]?.transports[0];
};

test('mounts are counted whether or not they are NFS', () => {
  const { mounts } = parseMountstats(
    `no device mounted on / with fstype rootfs\ndevice a mounted on /a with fstype ext4\n${nfs('')}`,
  );
  assert.deepEqual(
    mounts.map(({ index, device, mountPoint }) => [index, device, mountPoint]),
    [[2, 's:/e', '/m']],
  );
});

test('NFS without statistics and statistics of another file system are passed over', () => {
  assert.deepEqual(parseMountstats(nfs('', '') + nfs('', ' statvers=1.1', 'cifs')), { mounts: [], faults: [] });
});

test('the fields of a transport depend on its protocol and on the version', () => {
  const common = { binds: 2, connects: 3, idleSeconds: 5, sends: 6, receives: 7, badIds: 8, backlog: 10 };
  const queues = { slots: 11, sending: 12, pending: 13 };
  const noQueues = { slots: 0, sending: 0, pending: 0 };
  const tcp = { ...common, protocol: 'tcp' };
  const udp = { ...common, protocol: 'udp', connects: 0, idleSeconds: 0 };
  const rdma = { ...common, protocol: 'rdma' };
  assert.deepEqual(transport('tcp 1 2 3 4 5 6 7 8 9 10 11 12 13'), { ...tcp, ...queues });
  assert.deepEqual(transport('tcp 1 2 3 4 5 6 7 8 9 10', ' statvers=1.0'), { ...tcp, ...noQueues });
  assert.deepEqual(transport('udp 1 2 6 7 8 9 10 11 12 13'), { ...udp, ...queues });
  assert.deepEqual(transport('udp 1 2 6 7 8 9 10', ' statvers=1.0'), { ...udp, ...noQueues });
  const chunks = Array.from({ length: 18 }, (_, i) => 100 + i).join(' ');
  assert.deepEqual(transport(`rdma 1 2 3 4 5 6 7 8 9 10 ${chunks}`), { ...rdma, ...noQueues });
});

test('times beyond 2^53 are cut to what a double holds', () => {
  const { mounts } = parseMountstats(
    nfs('\tper-op statistics\n\tREAD: 1 2 3 4 5 9007199254740999 18446744073709551615 8 0\n'),
  );
  const [read] = mounts[0]?.operations ?? [];
  assert.deepEqual([read?.queueMs, read?.responseMs, read?.requestMs], [7, 2 ** 53 - 1, 8]);
});

test('blank lines say nothing', () => {
  const operations = '\tper-op statistics\n\tREAD: 1 2 3 4 5 6 7 8\n\n\tWRITE: 1 2 3 4 5 6 7 8\n\n';
  const { mounts, faults } = parseMountstats(nfs(`\n\tage:\t9\n${operations}`) + nfs('\tage:\t7\n'));
  assert.deepEqual(faults, []);
  assert.deepEqual(
    mounts.map(({ ageSeconds, operations: { length } }) => [ageSeconds, length]),
    [
      [9, 2],
      [7, 0],
    ],
  );
});

test('an empty file is odd', () => {
  assert.deepEqual(parseMountstats(''), { mounts: [], faults: [new ParseError('mountstats', '')] });
});

for (const [why, text] of [
  ['an unknown version', nfs('', ' statvers=2.0')],
  ['an unknown protocol', nfs('\txprt:\tquic 1 2 3 4 5 6 7 8 9 10 11 12 13')],
  ['RDMA of version 1.0', nfs('\txprt:\trdma 1 2 3 4 5 6 7 8 9 10', ' statvers=1.0')],
  ['a short transport', nfs('\txprt:\ttcp 1 2 3 4 5 6 7 8 9 10 11 12')],
  ['a transport alone', nfs('\txprt:')],
  ['short events', nfs(`\tevents:\t${Array.from({ length: 26 }, (_, i) => i).join(' ')}`)],
  ['short bytes', nfs('\tbytes:\t1 2 3 4 5 6 7')],
  ['no age', nfs('\tage:')],
  ['a negative number', nfs('\tage:\t-1')],
  ['a short operation', nfs('\tper-op statistics\n\tREAD: 1 2 3 4 5 6 7')],
  ['an operation without a colon', nfs('\tper-op statistics\n\tREAD 1 2 3 4 5 6 7 8')],
  ['a short heading', 'device a mounted on /a\n'],
] as const)
  test(`${why} is a fault, and the other mounts are still read`, () => {
    const { mounts, faults } = parseMountstats(`${text}${nfs('\tage:\t7\n')}`);
    assert.ok(faults[0] instanceof ParseError);
    assert.equal(faults.length, 1);
    assert.equal(mounts.at(-1)?.ageSeconds, 7);
  });
