import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { checksums, provenance, releaseFiles } from '../../tools/provenance.ts';

/** Of the text `content`. */
const DIGEST = 'ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73';

function folderOf(t: TestContext, ...names: readonly string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-provenance-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of names) writeFileSync(join(folder, name), 'content');
  return folder;
}

test('a release is the files of its version', (t) => {
  const folder = folderOf(
    t,
    'keyhole',
    'keyhole.cjs',
    'keyhole_1.2.3_amd64.deb',
    'keyhole-1.2.3.oci.tar',
    'keyhole-1.2.2.oci.tar',
  );
  assert.deepEqual(releaseFiles(folder, '1.2.3'), ['keyhole-1.2.3.oci.tar', 'keyhole_1.2.3_amd64.deb']);
});

test('the checksums are those that sha256sum checks', (t) => {
  const folder = folderOf(t, 'keyhole-1.oci.tar');
  const sums = checksums(folder, ['keyhole-1.oci.tar']);
  assert.equal(sums, `${DIGEST}  keyhole-1.oci.tar\n`);
  assert.equal(spawnSync('sha256sum', ['--check', '--strict'], { cwd: folder, input: sums }).status, 0);
});

test('the statement has the digest of each file, and of what it was made of', (t) => {
  const folder = folderOf(t, 'keyhole-1.oci.tar');
  const text = provenance(folder, ['keyhole-1.oci.tar']);
  const { _type, subject, predicateType, predicate } = JSON.parse(text);
  assert.equal(_type, 'https://in-toto.io/Statement/v1');
  assert.equal(predicateType, 'https://slsa.dev/provenance/v1');
  assert.deepEqual(subject, [{ name: 'keyhole-1.oci.tar', digest: { sha256: DIGEST } }]);
  const { resolvedDependencies } = predicate.buildDefinition as {
    resolvedDependencies: { name?: string; uri?: string; digest: Record<string, string> }[];
  };
  const esbuild = resolvedDependencies.find(({ uri }) => uri?.startsWith('pkg:npm/esbuild@') === true);
  assert.match(esbuild?.digest['sha512'] ?? '', /^[0-9a-f]{128}$/, 'what it was built with counts');
  const lock = resolvedDependencies.find(({ name }) => name === 'package-lock.json');
  assert.match(lock?.digest['sha256'] ?? '', /^[0-9a-f]{64}$/);
  assert.equal(provenance(folder, ['keyhole-1.oci.tar']), text);
});
