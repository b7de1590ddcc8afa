// The units, as systemd itself judges them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { declare, parseCommandLine } from '../../src/cli/command_line.ts';
import { collectors } from '../../src/collectors/index.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';

const UNITS = new URL('../../deploy/systemd/', import.meta.url).pathname;
/** Tenths: 2.0 of 10, where 10 is a service without any confinement. */
const EXPOSURE_MAX = 20;

const skip = loudly(lacksPackages('systemd'));

describe('deploy/systemd', { skip }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-systemd-'));
  const analyze = (...args: string[]): { status: number | null; said: string } => {
    const { status, stdout, stderr } = spawnSync('systemd-analyze', args, { encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };
  before(() => {
    // The program need not be installed for its unit to be judged, but something must be there.
    for (const name of ['keyhole.service', 'keyhole.socket'])
      writeFileSync(
        join(folder, name),
        readFileSync(join(UNITS, name), 'utf8').replace('/usr/local/bin/keyhole', process.execPath),
      );
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('systemd finds nothing to say', () => {
    const { status, said } = analyze(
      'verify',
      '--man=no',
      join(folder, 'keyhole.service'),
      join(folder, 'keyhole.socket'),
    );
    assert.deepEqual({ status, said }, { status: 0, said: '' });
  });

  test('it is hardly exposed', (t) => {
    const { status, said } = analyze(
      'security',
      '--offline=true',
      '--no-pager',
      `--threshold=${EXPOSURE_MAX}`,
      join(folder, 'keyhole.service'),
    );
    t.diagnostic(/Overall exposure level[^\n]*/.exec(said)?.[0] ?? '');
    assert.equal(status, 0, said);
  });

  test('every argument is a flag', () => {
    const command = /^ExecStart=\S+ (.*)$/m.exec(readFileSync(join(UNITS, 'keyhole.service'), 'utf8'))?.[1] ?? '';
    parseCommandLine({ program: 'keyhole', argv: command.split(' '), env: {} }, declare(collectors));
    assert.match(command, /--collector\.perf\b/);
  });
});
