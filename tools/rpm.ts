// RPM's package format, version 4: a lead, a header of signatures, a header of facts and a cpio archive.
// https://rpm-software-management.github.io/rpm/manual/format_v4.html, and tags.html beside it
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { ZSTD_LEVEL, zstd } from './deb.ts';
import { DESCRIPTION, type Package, type PackagedFile, SUMMARY } from './package_files.ts';

const scripts = new URL('../deploy/packages/rpm/', import.meta.url);
const script = (name: string): string => readFileSync(new URL(name, scripts), 'utf8');

export const RPM_ARCHITECTURES = { x64: 'x86_64', arm64: 'aarch64' } as const;
export const RPM_RELEASE = '1';

const TYPE = { int16: 3, int32: 4, text: 6, bytes: 7, texts: 8, i18n: 9 } as const;
const WIDTH_BYTES: Readonly<Record<number, number>> = { [TYPE.int16]: 2, [TYPE.int32]: 4 };

type Value =
  | { readonly type: typeof TYPE.int16 | typeof TYPE.int32; readonly values: readonly number[] }
  | { readonly type: typeof TYPE.text | typeof TYPE.texts | typeof TYPE.i18n; readonly values: readonly string[] }
  | { readonly type: typeof TYPE.bytes; readonly values: Buffer };

const int16 = (...values: number[]): Value => ({ type: TYPE.int16, values });
const int32 = (...values: number[]): Value => ({ type: TYPE.int32, values });
const text = (value: string): Value => ({ type: TYPE.text, values: [value] });
const texts = (...values: string[]): Value => ({ type: TYPE.texts, values });
const i18n = (value: string): Value => ({ type: TYPE.i18n, values: [value] });
const bytes = (values: Buffer): Value => ({ type: TYPE.bytes, values });

function stored({ type, values }: Value): Buffer {
  if (type === TYPE.bytes) return values;
  if (type === TYPE.int16 || type === TYPE.int32) {
    const width = WIDTH_BYTES[type] as number;
    const buffer = Buffer.alloc(values.length * width);
    for (const [i, value] of values.entries())
      if (type === TYPE.int16) buffer.writeUInt16BE(value, i * width);
      else buffer.writeUInt32BE(value, i * width);
    return buffer;
  }
  return Buffer.from(values.map((value) => `${value}\0`).join(''));
}

const entry = (tag: number, type: number, offset: number, count: number): Buffer => {
  const buffer = Buffer.alloc(16);
  for (const [i, value] of [tag, type, offset, count].entries()) buffer.writeInt32BE(value, i * 4);
  return buffer;
};

/** A header: an index of tags, and what they are worth. Its first tag, the region, says that all of it belongs together. */
function header(region: number, tags: Readonly<Record<number, Value>>): Buffer {
  const index: Buffer[] = [];
  const store: Buffer[] = [];
  let offset = 0;
  const add = (part: Buffer): void => {
    store.push(part);
    offset += part.length;
  };
  // Numbers as keys come in ascending order, as rpm wants them.
  for (const [tag, value] of Object.entries(tags)) {
    const width = WIDTH_BYTES[value.type] ?? 1;
    add(Buffer.alloc((width - (offset % width)) % width));
    index.push(entry(Number(tag), value.type, offset, value.values.length));
    add(stored(value));
  }
  const count = index.length + 1;
  const first = entry(region, TYPE.bytes, offset, 16);
  add(entry(region, TYPE.bytes, -16 * count, 16));
  const intro = Buffer.from('8eade80100000000'.padEnd(32, '0'), 'hex');
  intro.writeUInt32BE(count, 8);
  intro.writeUInt32BE(offset, 12);
  return Buffer.concat([intro, first, ...index, ...store]);
}

const padded = (length: number, multiple: number): Buffer => Buffer.alloc((multiple - (length % multiple)) % multiple);

const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const modeOf = ({ mode, content }: PackagedFile): number => mode | (content === undefined ? S_IFDIR : S_IFREG);

function cpioEntry(name: string, mode: number, inode: number, timeSeconds: number, content: Buffer): Buffer {
  const fields = [inode, mode, 0, 0, 1, timeSeconds, content.length, 0, 0, 0, 0, name.length + 1, 0];
  const head = Buffer.from(`070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}${name}\0`);
  return Buffer.concat([head, padded(head.length, 4), content, padded(content.length, 4)]);
}

/** The files, as cpio's "newc" has them. cpio(5) */
const cpio = (files: readonly PackagedFile[], timeSeconds: number): Buffer =>
  Buffer.concat([
    ...files.map((file, i) =>
      cpioEntry(`.${file.path}`, modeOf(file), i + 1, timeSeconds, file.content ?? Buffer.alloc(0)),
    ),
    cpioEntry('TRAILER!!!', 0, 0, 0, Buffer.alloc(0)),
  ]);

const digest = (algorithm: string, content: Buffer): string => createHash(algorithm).update(content).digest('hex');

const SENSE = {
  less: 2,
  greater: 4,
  equal: 8,
  post: 1 << 10,
  preun: 1 << 11,
  postun: 1 << 12,
  rpmlib: 1 << 24,
} as const;
const LIBRARY = 1 << 14;

/** Name, flags and version of what must be there. */
const REQUIRES: readonly (readonly [name: string, flags: number, version: string])[] = [
  ['/bin/sh', SENSE.post | SENSE.preun | SENSE.postun, ''],
  ['/usr/sbin/groupadd', SENSE.post, ''],
  ['/usr/sbin/useradd', SENSE.post, ''],
  ...[
    'libc.so.6(GLIBC_2.28)(64bit)',
    'libstdc++.so.6(GLIBCXX_3.4.21)(64bit)',
    'libstdc++.so.6(CXXABI_1.3.11)(64bit)',
  ].map((name) => [name, LIBRARY, ''] as const),
  ...['libatomic.so.1(LIBATOMIC_1.0)(64bit)', 'libgcc_s.so.1()(64bit)', 'libm.so.6()(64bit)'].map(
    (name) => [name, LIBRARY, ''] as const,
  ),
  ...(
    [
      ['CompressedFileNames', '3.0.4-1'],
      ['FileDigests', '4.6.0-1'],
      ['PayloadFilesHavePrefix', '4.0-1'],
      ['PayloadIsZstd', '5.4.18-1'],
    ] as const
  ).map(([name, version]) => [`rpmlib(${name})`, SENSE.rpmlib | SENSE.less | SENSE.equal, version] as const),
];

const CONFIG_NOREPLACE = 1 | 16;
/** The script behind the installation gives the executable its capability, which is not the package's own. */
const VERIFY_ALL_BUT_CAPABILITIES = 0xffffffff & ~(1 << 8);

function fileTags(files: readonly PackagedFile[], timeSeconds: number): Record<number, Value> {
  const folders = [...new Set(files.map(({ path }) => `${posix.dirname(path)}/`))];
  const each = <T>(pick: (file: PackagedFile, index: number) => T): T[] => files.map(pick);
  return {
    1028: int32(...each(({ content }) => content?.length ?? 4096)),
    1030: int16(...each(modeOf)),
    1033: int16(...each(() => 0)),
    1034: int32(...each(() => timeSeconds)),
    1035: texts(...each(({ content }) => (content === undefined ? '' : digest('sha256', content)))),
    1036: texts(...each(() => '')),
    1037: int32(...each(({ isConfig }) => (isConfig === true ? CONFIG_NOREPLACE : 0))),
    1039: texts(...each(() => 'root')),
    1040: texts(...each(() => 'root')),
    1045: int32(...each(() => VERIFY_ALL_BUT_CAPABILITIES >>> 0)),
    1095: int32(...each(() => 1)),
    1096: int32(...each((_, i) => i + 1)),
    1097: texts(...each(() => '')),
    1116: int32(...each(({ path }) => folders.indexOf(`${posix.dirname(path)}/`))),
    1117: texts(...each(({ path }) => posix.basename(path))),
    1118: texts(...folders),
    5011: int32(8),
  };
}

function facts({ version, arch, files, timeSeconds }: Package, payload: Buffer): Record<number, Value> {
  const sizeBytes = files.reduce((sum, { content }) => sum + (content?.length ?? 4096), 0);
  const evr = `${version}-${RPM_RELEASE}`;
  return {
    100: texts('C'),
    1000: text('keyhole'),
    1001: text(version),
    1002: text(RPM_RELEASE),
    1004: i18n(SUMMARY),
    1005: i18n(DESCRIPTION),
    1006: int32(timeSeconds),
    1007: text('localhost'),
    1009: int32(sizeBytes),
    1014: text('Apache-2.0'),
    1016: i18n('Unspecified'),
    1021: text('linux'),
    1022: text(RPM_ARCHITECTURES[arch]),
    1024: text(script('post')),
    1025: text(script('preun')),
    1026: text(script('postun')),
    // Without the name of sources it would be a package of sources.
    1044: text(`keyhole-${evr}.src.rpm`),
    1047: texts('keyhole', `keyhole(${arch === 'x64' ? 'x86-64' : 'aarch-64'})`, 'config(keyhole)'),
    1048: int32(...REQUIRES.map(([, flags]) => flags)),
    1049: texts(...REQUIRES.map(([name]) => name)),
    1050: texts(...REQUIRES.map(([, , wanted]) => wanted)),
    1064: text('4.18.0'),
    1086: text('/bin/sh'),
    1087: text('/bin/sh'),
    1088: text('/bin/sh'),
    1112: int32(SENSE.equal, SENSE.equal, SENSE.equal | (1 << 28)),
    1113: texts(evr, evr, evr),
    1124: text('cpio'),
    1125: text('zstd'),
    1126: text(String(ZSTD_LEVEL)),
    5062: text('utf-8'),
    5092: texts(digest('sha256', payload)),
    5093: int32(8),
    ...fileTags(files, timeSeconds),
  };
}

/** The oldest part, which only the file command looks at. */
function lead(name: string): Buffer {
  const buffer = Buffer.alloc(96);
  buffer.writeUInt32BE(0xedabeedb, 0);
  buffer.writeUInt8(3, 4);
  buffer.writeUInt16BE(1, 8);
  buffer.write(name.slice(0, 65), 10, 'latin1');
  buffer.writeUInt16BE(1, 76);
  buffer.writeUInt16BE(5, 78);
  return buffer;
}

/** The bytes of an .rpm, not signed; rpm 4.14 and later reads its compression. `files` come in the order of their paths. */
export function rpm(each: Package): Buffer {
  const archive = cpio(each.files, each.timeSeconds);
  const payload = zstd(archive);
  const main = header(63, facts(each, payload));
  const whole = Buffer.concat([main, payload]);
  const signatures = header(62, {
    269: text(digest('sha1', main)),
    273: text(digest('sha256', main)),
    1000: int32(whole.length),
    1004: bytes(createHash('md5').update(whole).digest()),
    1007: int32(archive.length),
  });
  const name = `keyhole-${each.version}-${RPM_RELEASE}`;
  return Buffer.concat([lead(name), signatures, padded(signatures.length, 8), whole]);
}
