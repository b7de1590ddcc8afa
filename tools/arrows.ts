// Holds the import arrows of the house: which room may know which. Shared code never names a collector.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const root = new URL('../', import.meta.url).pathname;

/** The rooms that a room's files may import, besides its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  page: ['core'],
  parse: ['core'],
  source: ['core', 'parse'],
  syscall: ['core', 'parse'],
  netlink: ['core', 'syscall'],
  daemon: ['core', 'parse', 'syscall'],
  perf: ['core', 'parse', 'source', 'syscall'],
  privilege: ['core', 'parse', 'perf', 'source', 'syscall'],
  server: ['core', 'page', 'parse'],
  cli: ['core', 'page', 'parse', 'perf', 'privilege', 'source', 'syscall'],
  collectors: ['core', 'parse', 'perf'],
};

/** What collectors may import of `netlink`: what decodes messages, and asks nobody. */
const DECODERS: readonly string[] = [
  'attributes',
  'ethtool',
  'genetlink',
  'nl80211',
  'protocols',
  'qdisc',
  'route',
  'rtnetlink',
  'sock_diag',
].map((name) => `netlink/${name}.ts`);

/** Rooms whose files may not import one another: each collector stands alone. */
const KNOWS_ITSELF_NOT = ['collectors'];

/** `src/main.ts` and what stands beside it may import everything. */
const roomOf = (file: string): string => (file.includes('/') ? (file.split('/')[0] as string) : '');

export interface SourceFile {
  /** Relative to `src/`. */
  readonly path: string;
  readonly text: string;
}

/** Modules; data such as package.json may be read by anyone. */
const importsOf = (text: string): string[] =>
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+\.ts|node:[^']+)'/g)].map((match) => match[1] as string);

/** What a file imports: modules of Node as they are, others relative to `src/`. */
const targetsOf = ({ path, text }: SourceFile): string[] =>
  importsOf(text).map((specifier) =>
    specifier.startsWith('node:') ? specifier : normalize(join(dirname(path), specifier)),
  );

/** The collector that a file is; `undefined` for another file. */
const collectorOf = (path: string): string | undefined => /^collectors\/(?!index\.ts)(.*)\.ts$/.exec(path)?.[1];

function isAllowed(room: string, target: string): boolean {
  if (target.startsWith('node:')) return room !== 'collectors';
  const to = roomOf(target);
  if (to === room) return !KNOWS_ITSELF_NOT.includes(room);
  return (MAY_IMPORT[room]?.includes(to) ?? false) || (room === 'collectors' && DECODERS.includes(target));
}

function faultsOf(file: SourceFile, collectors: readonly string[]): string[] {
  const { path, text } = file;
  const room = roomOf(path);
  if (room === '' || path === 'collectors/index.ts') return [];
  if (MAY_IMPORT[room] === undefined) return [`src/${path}: '${room}' is not a room of the house`];
  const against = targetsOf(file).filter((target) => !isAllowed(room, target));
  const faults = against.map(
    (target) => `src/${path}: ${room} may not import ${target.startsWith('node:') ? '' : 'src/'}${target}`,
  );
  if (room !== 'core') return faults;
  const named = collectors.filter((name) => new RegExp(`['"\`/]${name}(\\.ts)?['"\`]`).test(text));
  return [...faults, ...named.map((name) => `src/${path}: core names the collector '${name}'`)];
}

/** Every import that goes against an arrow, and every collector that `core` names, one line each. */
export function findFaults(files: readonly SourceFile[]): string[] {
  const collectors = files.map(({ path }) => collectorOf(path)).filter((name) => name !== undefined);
  return files.flatMap((file) => faultsOf(file, collectors));
}

export const readSources = (): SourceFile[] =>
  globSync('**/*.ts', { cwd: join(root, 'src') })
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }));
