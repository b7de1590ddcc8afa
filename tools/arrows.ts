// Holds the import arrows of the house: which room may know which. Shared code never names a collector.
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';

const root = new URL('../', import.meta.url).pathname;

/** The rooms that a room's files may import, besides its own. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  page: ['core'],
  parse: ['core'],
  source: ['core'],
  syscall: ['core', 'parse'],
  netlink: ['core', 'syscall'],
  daemon: ['core', 'syscall'],
  perf: ['core', 'parse', 'source', 'syscall'],
  privilege: ['core', 'parse', 'perf', 'source', 'syscall'],
  server: ['core', 'page', 'parse', 'syscall'],
  cli: ['core', 'page', 'parse', 'perf', 'privilege', 'source', 'syscall'],
  // `source` until no collector opens a tree by itself.
  collectors: ['core', 'daemon', 'netlink', 'parse', 'perf', 'source', 'syscall'],
};

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
  [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*'(\.[^']+\.ts)'/g)].map((match) => match[1] as string);

function faultsOf({ path, text }: SourceFile, collectors: readonly string[]): string[] {
  const room = roomOf(path);
  const allowed = MAY_IMPORT[room];
  if (room === '') return [];
  if (allowed === undefined) return [`src/${path}: '${room}' is not a room of the house`];
  if (path === 'collectors/index.ts') return [];
  const faults = importsOf(text).flatMap((specifier) => {
    const target = normalize(join(dirname(path), specifier));
    const to = roomOf(target);
    const fine = to === room ? !KNOWS_ITSELF_NOT.includes(room) : allowed.includes(to);
    return fine ? [] : [`src/${path}: ${room || 'main'} may not import src/${target}`];
  });
  if (room !== 'core') return faults;
  const named = collectors.filter((name) => new RegExp(`['"\`/]${name}(\\.ts)?['"\`]`).test(text));
  return [...faults, ...named.map((name) => `src/${path}: core names the collector '${name}'`)];
}

/** Every import that goes against an arrow, and every collector that `core` names, one line each. */
export function findFaults(files: readonly SourceFile[]): string[] {
  const collectors = files
    .filter(({ path }) => /^collectors\/(?!index\.ts)/.test(path))
    .map(({ path }) => path.slice('collectors/'.length, -'.ts'.length));
  return files.flatMap((file) => faultsOf(file, collectors));
}

export const readSources = (): SourceFile[] =>
  globSync('**/*.ts', { cwd: join(root, 'src') })
    .sort()
    .map((path) => ({ path, text: readFileSync(join(root, 'src', path), 'utf8') }));
