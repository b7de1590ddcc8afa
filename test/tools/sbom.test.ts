import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { nodeOf } from '../../tools/build.ts';
import { type BillOf, bill, distributionOf, INSIDE_NODE } from '../../tools/sbom.ts';

interface Part {
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly cpe?: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly Part[];
}

const libc = {
  name: 'libc6',
  version: '2.36-9+deb12u10',
  control: 'Package: libc6\nSource: glibc\n',
  sha256: 'ab'.repeat(32),
};
const runtimes = { ...libc, name: 'libgcc-s1', version: '12.2.0-14', control: 'Source: gcc-12 (12.2.0-14)\n' };
const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64';
const given: BillOf = {
  version: '1.2.3',
  distribution: distributionOf('NAME="Debian GNU/Linux"\nVERSION_ID="12"\nID=debian\n'),
  platforms: [{ architecture, packages: [libc, runtimes] }],
  timeSeconds: 1_700_000_000,
};
const made = bill(given);
interface Document {
  readonly serialNumber: string;
  readonly metadata: { readonly timestamp: string; readonly component: { readonly 'bom-ref': string } };
  readonly components: readonly Part[];
  readonly dependencies: readonly { readonly ref: string; readonly dependsOn: readonly string[] }[];
}
const document = JSON.parse(made) as Document;
const { components } = document;
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

test('it names the libraries of Debian as scanners look for them, with the digest of their package', () => {
  const where = `arch=${architecture}&distro=debian-12`;
  assert.equal(named('libc6')?.purl, `pkg:deb/debian/libc6@2.36-9%2Bdeb12u10?${where}&upstream=glibc`);
  assert.equal(named('libgcc-s1')?.purl, `pkg:deb/debian/libgcc-s1@12.2.0-14?${where}&upstream=gcc-12%4012.2.0-14`);
  assert.deepEqual(
    components.filter(({ type }) => type === 'operating-system').map(({ name, version }) => [name, version]),
    [['debian', '12']],
  );
  assert.deepEqual(named('libc6')?.hashes, [{ alg: 'SHA-256', content: libc.sha256 }]);
});

test('every part has a reference of its own', () => {
  const references = [...made.matchAll(/"bom-ref": "(.*)"/g)].map(([, reference]) => reference);
  assert.equal(new Set(references).size, references.length);
});

test('it has the digest of the runtime’s executable', () => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  const digest = createHash('sha256')
    .update(readFileSync(nodeOf(arch)))
    .digest('hex');
  const file = named(`node-linux-${arch}/bin/node`, named('node')?.components);
  assert.deepEqual(file?.hashes, [{ alg: 'SHA-256', content: digest }]);
});

test('what it depends on are its parts', () => {
  const references = new Set([...made.matchAll(/"bom-ref": "(.*)"/g)].map(([, reference]) => reference));
  const [program] = document.dependencies;
  assert.equal(program?.ref, document.metadata.component['bom-ref']);
  for (const { ref, dependsOn } of document.dependencies)
    for (const each of [ref, ...dependsOn]) assert.ok(references.has(each), each);
});

test('two bills are the same bytes, and others have another serial number', () => {
  assert.equal(bill(given), made);
  assert.equal(document.metadata.timestamp, '2023-11-14T22:13:20.000Z');
  const uuid = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  assert.match(document.serialNumber, uuid);
  const other = JSON.parse(bill({ ...given, version: '1.2.4' })) as Document;
  assert.match(other.serialNumber, uuid);
  assert.notEqual(other.serialNumber, document.serialNumber);
});
