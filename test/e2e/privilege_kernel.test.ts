// What the kernel gives to a file with and without a capability: needs root, setpriv and unshare (util-linux), setcap (libcap2-bin).
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { describe, test } from 'node:test';
import { command, FILES, type FileCapability, folder, NOBODY, run, skip } from '../helpers/capable.ts';

const PARANOID = '/proc/sys/kernel/perf_event_paranoid';

/** The row of a table: whether there are counters with no file capability, with `=p`, with `=ep`; `fails` is no start at all. */
type Row = readonly [name: string, prefix: readonly string[], ...want: readonly (boolean | 'fails')[]];

const shell = ['sh', '-c', 'exec "$0" "$@"'] as const;
const kept = ['--inh-caps=+perfmon', '--ambient-caps=+perfmon'] as const;

const ROWS: readonly Row[] = [
  ['full bounding set', [...NOBODY], false, true, true],
  ['bounding set without PERFMON', [...NOBODY, '--bounding-set=-perfmon'], false, false, 'fails'],
  ['no_new_privs, permitted kept before the exec', [...NOBODY, '--no-new-privs'], false, true, true],
  ['no_new_privs behind a shell', [...NOBODY, '--no-new-privs', ...shell], false, false, false],
  ['ambient', [...NOBODY, ...kept], true, true, true],
  ['ambient and no_new_privs', [...NOBODY, ...kept, '--no-new-privs'], true, true, true],
  ['inheritable only', [...NOBODY, '--inh-caps=+perfmon'], false, true, true],
  ['user namespace', ['unshare', '--user', '--map-root-user'], false, false, false],
];

describe('what the kernel gives', { skip, concurrency: false }, () => {
  for (const [name, prefix, ...wants] of ROWS) {
    for (const [i, want] of wants.entries()) {
      const capability = FILES[i] as FileCapability;
      test(`${name}, file capability ${capability}`, async () => {
        if (want === 'fails') {
          // The kernel's answer to =ep, and why Keyhole's file has =p.
          const { status, stderr } = spawnSync(prefix[0] as string, [
            ...prefix.slice(1),
            ...command(capability),
            '--version',
          ]);
          assert.notEqual(status, 0);
          assert.match(String(stderr), /Operation not permitted/);
          return;
        }
        assert.equal((await run([...prefix, ...command(capability)])).counters, want);
      });
    }
  }

  test('a nosuid mount gives nothing, and starts all the same', async () => {
    const mounted = `mount --bind ${folder} ${folder} && mount -o remount,bind,nosuid ${folder} && exec "$0" "$@"`;
    for (const capability of FILES) {
      const wrapped = ['unshare', '--mount', 'sh', '-c', mounted, ...NOBODY, ...command(capability)];
      assert.equal((await run(wrapped)).counters, false, capability);
    }
  });

  test('the paranoid level decides without the capability, and not with it', async () => {
    const level = readFileSync(PARANOID, 'latin1');
    // However the test ends.
    process.once('exit', () => writeFileSync(PARANOID, level));
    for (const paranoid of [-1, 0, 1, 2, 3, 4]) {
      writeFileSync(PARANOID, String(paranoid));
      const without = await run([...NOBODY, ...command('none')]);
      assert.deepEqual([without.counters, without.stage], [paranoid <= 0, 'direct'], `paranoid ${paranoid}, none`);
      const perfmon = await run([...NOBODY, ...command('p')]);
      assert.deepEqual([perfmon.counters, perfmon.stage], [true, 'sealed'], `paranoid ${paranoid}, perfmon`);
    }
  });
});
