import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { bill, INSIDE_NODE } from '../../tools/sbom.ts';

interface Part {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly Part[];
}

const libc = { name: 'libc6', version: '2.36-9+deb12u10', control: '', sha256: 'ab'.repeat(32) };
const made = bill('1.2.3', [{ architecture: 'amd64', packages: [libc] }]);
const { components } = JSON.parse(made) as { components: readonly Part[] };
const named = (name: string, among: readonly Part[] = components): Part | undefined =>
  among.find((each) => each.name === name);

test('the bill names what the lock file pins, with its digest', () => {
  const yaml = named('yaml');
  assert.match(yaml?.purl ?? '', /^pkg:npm\/yaml@\d/);
  assert.match(yaml?.hashes?.[0]?.content ?? '', /^[0-9a-f]{128}$/);
  assert.equal(named('typescript'), undefined, 'what only development needs');
});

test('it names what is inside of the runtime, as the runtime itself does', () => {
  const node = named('node');
  assert.equal(node?.version, process.versions.node);
  const openssl = named('openssl', node?.components);
  assert.equal(openssl?.version, process.versions.openssl);
  assert.equal(openssl?.cpe, `cpe:2.3:a:openssl:openssl:${process.versions.openssl}:*:*:*:*:*:*:*`);
  for (const name of ['v8', 'zlib', 'libuv', 'llhttp', 'icu', 'sqlite'])
    assert.match(named(name, node?.components)?.version ?? '', /^\d[\d.]*$/, name);
});

/** Numbers of interfaces and of data, and no part. */
const NO_PARTS = ['cldr', 'modules', 'napi', 'node', 'tz', 'unicode'];

test('every part that the runtime names is in the bill, and in the facts for VEX', () => {
  const parts = Object.keys(process.versions).filter((key) => !NO_PARTS.includes(key));
  assert.deepEqual(parts.sort(), Object.keys(INSIDE_NODE).sort());
  const page = readFileSync(new URL('../../docs/releases.md', import.meta.url), 'utf8');
  const [, rows = ''] = /^\| part \| reached .*\n\|.*\n((?:\|.*\n)+)/m.exec(page) ?? [];
  const explained = rows.split('\n').flatMap((row) => (row.split(' | ')[0] ?? '').replace('| ', '').split(', '));
  for (const [name] of Object.values(INSIDE_NODE)) assert.ok(explained.includes(name), name);
});

test('it names the libraries of Debian, with the digest of their package', () => {
  assert.equal(named('libc6')?.purl, 'pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?arch=amd64');
  assert.deepEqual(named('libc6')?.hashes, [{ alg: 'SHA-256', content: libc.sha256 }]);
});

test('every part has a reference of its own', () => {
  const references = [...made.matchAll(/"bom-ref": "(.*)"/g)].map(([, reference]) => reference);
  assert.equal(new Set(references).size, references.length);
});

test('two bills are the same bytes', () =>
  assert.equal(bill('1.2.3', [{ architecture: 'amd64', packages: [libc] }]), made));
