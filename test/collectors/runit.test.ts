import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import runit, { parseStatus } from '../../src/collectors/runit.ts';
import { ParseError } from '../../src/core/errors.ts';
import { FLAGS } from '../helpers/collected.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

/** As runsv writes it: TAI64N, process id, paused, wanted, got TERM, state. */
function status(state: number, wanted: string, seconds = 1_700_000_000n): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeBigUInt64BE(4_611_686_018_427_387_914n + seconds, 0);
  bytes.writeUInt32LE(4242, 12);
  bytes[17] = wanted.charCodeAt(0);
  bytes[19] = state;
  return bytes;
}

function services(t: TestContext, files: Readonly<Record<string, Buffer | string>>): string {
  const root = tree(t, {});
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
  return root;
}

const values = async (servicedir: string): Promise<string[]> => {
  const { text, success } = await scrape(runit, { argv: [`--collector.runit.servicedir=${servicedir}`] });
  assert.ok(success);
  return text.split('\n').filter((line) => /^[^#]/.test(line));
};

test('parseStatus reads the time, the state and what is wanted', () => {
  assert.deepEqual(parseStatus(status(1, 'u'), 20), { state: 1, wantedUp: true, changedSeconds: 1_700_000_000 });
  assert.deepEqual(parseStatus(status(2, 'd', 0n), 20), { state: 2, wantedUp: false, changedSeconds: 0 });
});

for (const [why, bytes] of [
  ['an empty file', Buffer.alloc(0)],
  ['a short file', status(1, 'u').subarray(0, 19)],
  ['a long file', Buffer.concat([status(1, 'u'), Buffer.alloc(1)])],
  ['an unknown state', status(3, 'u')],
] as const)
  test(`parseStatus refuses ${why}`, () => assert.equal(parseStatus(bytes, bytes.length), undefined));

test('services are folders or links to them; files and what has no status are passed over', async (t) => {
  const root = services(t, {
    'all/up/supervise/status': status(1, 'u'),
    'all/down/supervise/status': status(0, 'd'),
    'all/down/down': '',
    'all/new/run': '#!/bin/sh\n',
    'all/file': '',
    'elsewhere/linked/supervise/status': status(2, 'u'),
  });
  symlinkSync('../elsewhere/linked', join(root, 'all/linked'));
  symlinkSync('nowhere', join(root, 'all/dead'));
  const of = (name: string, up: number, down: number, linked: number): string[] => [
    `node_service_${name}{service="down",supervisor="runit"} ${down}`,
    `node_service_${name}{service="linked",supervisor="runit"} ${linked}`,
    `node_service_${name}{service="up",supervisor="runit"} ${up}`,
  ];
  assert.deepEqual(await values(join(root, 'all')), [
    ...of('desired_state', 1, 0, 1),
    ...of('normal_state', 1, 0, 1),
    ...of('state', 1, 0, 2),
    ...['down', 'linked', 'up'].map(
      (name) => `node_service_state_last_change_timestamp_seconds{service="${name}",supervisor="runit"} 1.7e+09`,
    ),
  ]);
});

test('runit: the fixtures scrape to the golden text', (t) => golden(t, runit, { argv: FLAGS['runit'] ?? [] }));

test('a service whose status is odd costs itself alone', async (t) => {
  const root = services(t, { 'all/broken/supervise/status': 'short', 'all/up/supervise/status': status(1, 'u') });
  const { text, error } = await scrape(runit, { argv: [`--collector.runit.servicedir=${root}/all`] });
  assert.ok(error instanceof ParseError);
  assert.match(error.message, /all\/broken\/supervise\/status: cannot parse "short"/);
  assert.match(text, /^node_service_state\{service="up",supervisor="runit"\} 1$/m);
  assert.doesNotMatch(text, /broken/);
});

for (const code of ['EACCES', 'EAGAIN'])
  test(`a service whose status answers ${code} is passed over`, async (t) => {
    const root = services(t, {
      'all/shut/supervise/status': status(1, 'u'),
      'all/up/supervise/status': status(1, 'u'),
    });
    const disk = refusingDisk(code, '/shut/supervise/status');
    const { text, success } = await scrape(runit, { disk, argv: [`--collector.runit.servicedir=${root}/all`] });
    assert.ok(success);
    assert.doesNotMatch(text, /shut/);
    assert.match(text, /service="up"/);
  });

test('a named pipe in place of a status holds nobody up', async (t) => {
  const root = services(t, { 'all/up/supervise/status': status(1, 'u'), 'all/pipe/supervise/x': '' });
  execFileSync('mkfifo', [join(root, 'all/pipe/supervise/status')]);
  const { text } = await scrape(runit, { argv: [`--collector.runit.servicedir=${root}/all`] });
  assert.match(text, /service="up"/);
});

test('a folder without services is no failure, a missing folder is', async (t) => {
  const root = tree(t, {});
  assert.deepEqual(await values(root), []);
  const { success } = await scrape(runit, { argv: [`--collector.runit.servicedir=${root}/none`] });
  assert.equal(success, false);
});
