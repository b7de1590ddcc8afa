import { lstatSync, readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import process from 'node:process';
import type { Needs, SocketNeed } from '../core/collector.ts';
import { optional } from '../core/errors.ts';
import { bytesOf, pathOf } from '../core/utf8.ts';
import { type Allowances, createRuleset, landlockVersion } from '../syscall/landlock.ts';
import type { Candidate } from './acquire.ts';

/** What the process that serves will need of the machine, by its flags and its collectors. Everything else is shut. */

export type SandboxWish = 'auto' | 'off' | 'require';

export interface SandboxParts {
  /** The enabled collectors. */
  readonly candidates: readonly Candidate[];
  /** The roots of the kernel's trees. */
  readonly trees: readonly string[];
  readonly rootfs: string;
  /** Other files and folders that are read: of the web configuration. */
  readonly files: readonly string[];
  /** Where it will listen; 0 is a port that the kernel chooses. */
  readonly listenOn: readonly { readonly host: string; readonly port: number }[];
  readonly env: NodeJS.ProcessEnv;
}

export interface SandboxPlan extends Allowances {
  readonly sockets: readonly SocketNeed[];
}

/** What the program and its runtime read at their start, and the dynamic loader. */
const RUNTIME_FILES = [
  '/dev/null',
  '/etc/ld.so.cache',
  '/etc/localtime',
  // Ports by the name of their service.
  '/etc/services',
  '/etc/ssl/openssl.cnf',
  '/proc',
  '/sys',
  '/usr/share/zoneinfo',
] as const;
/** Variables that name such files. */
const RUNTIME_VARIABLES = ['NODE_EXTRA_CA_CERTS', 'OPENSSL_CONF', 'SSL_CERT_FILE'] as const;
/** nsswitch.conf(5), resolv.conf(5), hosts(5), gai.conf(5) */
const RESOLVER_FILES = [
  '/etc/gai.conf',
  '/etc/host.conf',
  '/etc/hosts',
  '/etc/nsswitch.conf',
  '/etc/resolv.conf',
] as const;

const GONE = ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'] as const;
const real = (path: string | Buffer): string | undefined => optional(() => realpathSync(path), GONE);
const depthOf = (path: string): number => path.split('/').filter((part) => part !== '').length;
const isLink = (path: string | Buffer): boolean => optional(() => lstatSync(path), GONE)?.isSymbolicLink() === true;
const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** A folder that holds so much that it is not given away for the sake of one entry: `/`, `/etc`, `/tmp`. */
const WIDE = 1;
/** `/var/lib`, too, where it is only for a folder that may be made anew. */
const WIDE_ABOVE = 2;

/** Where the links of a folder lead, out of it: the folders of what they name. */
function linkedFrom(folder: string): string[] {
  const names = optional(() => readdirSync(folder, 'latin1'), ['ENOTDIR', ...GONE]) ?? [];
  return names.slice(0, LINKS_MAX).flatMap((name) => {
    const path = pathOf(join(bytesOf(folder), name));
    const target = isLink(path) ? real(path) : undefined;
    if (target === undefined) return [];
    return [target, ...(depthOf(dirname(target)) > WIDE ? [dirname(target)] : [])];
  });
}

const LINKS_MAX = 1024;

/**
 * A path of the user's, which may be made, removed and made anew while the process runs, though a rule holds for what is there
 * now: with the folder above it, where that is not wide; where it is not there yet, what is there of the path.
 */
export function withSurroundings(path: string): string[] {
  const literal = path.replace(/\/[^/]*[*?[].*$/, '') || '/';
  let there = resolve(literal);
  while (real(there) === undefined && there !== '/') there = dirname(there);
  if (there === '/') return [];
  const above = dirname(there);
  return [there, ...(depthOf(above) > WIDE_ABOVE ? [above] : []), ...(isFolder(there) ? linkedFrom(there) : [])];
}

/** A file that is replaced by renaming, as editors and Kubernetes do it: the folder is needed. */
export function withFolder(path: string): string[] {
  const whole = resolve(path);
  return [whole, real(whole) ?? whole].flatMap((each) => [each, ...(dirname(each) === '/' ? [] : [dirname(each)])]);
}

/** What the `reads` of a collector say beyond the trees, up to the first name that is open. */
function filesOf(reads: readonly string[], rootfs: string): string[] {
  const outside = reads.filter((path) => path.startsWith('/') && !/^\/(proc|sys|run\/udev)\//.test(path));
  return outside.flatMap((path) => {
    const literal = path.replace(/\/[^/]*[<*{].*$/, '');
    return rootfs === '/' ? [literal] : [literal, `${rootfs}${literal}`];
  });
}

/** The executable and its libraries, for the exec: what this process has mapped. */
export function mappedFiles(maps: string): { readonly execute: string[]; readonly folders: string[] } {
  const files = new Set([...maps.matchAll(/^\S+ \S+ \S+ \S+ [1-9]\d* +(\/.*)$/gm)].map((match) => match[1] as string));
  const libraries = [...files].filter((file) => /\.so(\.|$)/.test(file));
  return {
    execute: ['/proc/self/exe', ...libraries.filter((file) => /\/ld[-.][^/]*$/.test(file))],
    folders: [...new Set(libraries.map((file) => dirname(file)))],
  };
}

/** The sources, where the program is not one executable. */
const sourcesOf = (argv: readonly string[]): string[] => {
  const isSingle = process.getBuiltinModule('node:sea')?.isSea() === true;
  const main = isSingle || argv[1] === undefined ? undefined : real(argv[1]);
  return main === undefined ? [] : [dirname(dirname(main))];
};

/** For an exec of the program by itself. */
function programFiles(env: NodeJS.ProcessEnv): {
  readonly execute: readonly string[];
  readonly read: readonly string[];
} {
  const { execute, folders } = mappedFiles(readFileSync('/proc/self/maps', 'utf8'));
  const named = RUNTIME_VARIABLES.flatMap((name) => env[name] ?? []);
  return { execute, read: [...named, ...folders, ...sourcesOf(process.argv)] };
}

const OPENER_FILES = ['/dev/null', '/etc/ld.so.cache', '/etc/ssl/openssl.cnf', '/proc/self'] as const;

/** What is left to the process that opens counters: its own files and these folders; no port. */
export function planOpener(folders: readonly string[], env: NodeJS.ProcessEnv): SandboxPlan {
  const { execute, read } = programFiles(env);
  return { read: [...OPENER_FILES, ...read, ...folders], list: [], execute, bind: [], connect: [], sockets: [] };
}

const isName = (host: string): boolean => host !== '' && process.getBuiltinModule('node:net').isIP(host) === 0;

export function planSandbox(parts: SandboxParts): SandboxPlan {
  const { candidates, trees, rootfs, files, listenOn, env } = parts;
  const needs: readonly Needs[] = candidates.map(({ collector, host }) => collector.needs?.(host) ?? {});
  const sockets = needs.flatMap((each) => each.sockets ?? []);
  const { execute, read: own } = programFiles(env);
  const resolves = listenOn.some(({ host }) => isName(host)) || needs.some((each) => each.resolves === true);
  const read = [
    ...trees,
    ...RUNTIME_FILES,
    ...own,
    ...(resolves ? RESOLVER_FILES : []),
    ...files.flatMap(withFolder),
    ...candidates.flatMap(({ collector }) => filesOf(collector.reads, rootfs)),
    ...needs.flatMap((each) => (each.files ?? []).flatMap(withSurroundings)),
  ];
  return {
    read: [...new Set(read)],
    list: needs.flatMap((each) => each.folders ?? []),
    execute,
    bind: [...new Set(listenOn.map(({ port }) => port))],
    connect: [...new Set(sockets.flatMap((each) => (each.family === 'tcp' ? [each.port] : [])))],
    sockets,
  };
}

/** Lays the rules down while everything can still be reached; the descriptor of them, or `undefined` where there is no Landlock. */
export function prepareLandlock(wish: SandboxWish, plan: () => SandboxPlan): number | undefined {
  const version = wish === 'off' ? 0 : landlockVersion();
  return version === 0 ? undefined : createRuleset(version, plan());
}
