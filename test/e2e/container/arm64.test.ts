// The image's other half: its arm64 files in an arm64 guest, whose counters are real.
import assert from 'node:assert/strict';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { imageArchive, VERSION } from '../../helpers/container/image.ts';
import { unpackArchive, unpackLayers } from '../../helpers/container/layout.ts';
import { loudly } from '../../helpers/debian.ts';
import { type CpioEntry, lacksGuest, runGuest } from '../../helpers/guest.ts';

const skip = loudly(lacksGuest('arm64'));

/** Everything below a folder, for the guest's `/image`. */
function entriesOf(folder: string, at: string): CpioEntry[] {
  return readdirSync(folder).flatMap((name): CpioEntry[] => {
    const [from, path] = [join(folder, name), `${at}/${name}`];
    const stat = lstatSync(from);
    if (stat.isDirectory()) return [{ path, mode: stat.mode, data: new Uint8Array() }, ...entriesOf(from, path)];
    const data = stat.isSymbolicLink() ? Buffer.from(readlinkSync(from)) : readFileSync(from);
    return [{ path, mode: stat.mode, data }];
  });
}

test("the arm64 image's executable starts and counts cycles and instructions", { skip }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-arm64-'));
  try {
    const layout = unpackArchive(imageArchive(), join(folder, 'layout'));
    const rootfs = join(folder, 'rootfs');
    unpackLayers(layout.layers('arm64'), rootfs);
    const results = await runGuest({
      arch: 'arm64',
      scenario: 'helpers/guest/image.ts',
      cpus: 1,
      options: ['-icount', 'shift=2,sleep=off'],
      files: [{ path: 'image', mode: 0o040755, data: new Uint8Array() }, ...entriesOf(rootfs, 'image')],
      timeoutMs: 300_000,
    });
    t.diagnostic(JSON.stringify(results));
    const { version, cycles, instructions, stages, capableThreads, status } = results;
    assert.match(version as string, new RegExp(`^keyhole, version ${VERSION.replaceAll('.', '\\.')} `));
    assert.match(version as string, /linux\/arm64/);
    assert.ok((cycles as number) > 1e6, `${cycles} cycles`);
    assert.ok((instructions as number) > 1e6, `${instructions} instructions`);
    assert.match(String(stages), /stage="sealed"/);
    assert.equal(capableThreads, 0);
    assert.equal(status, 0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
