import { accessSync, constants, readdirSync, readFileSync } from 'node:fs';
import { dirname, posix, resolve } from 'node:path';
import process from 'node:process';
import { hasErrno, messageOf, optional, UsageError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { bytesOf, decodeName, pathOf } from '../core/utf8.ts';
import { parseMountinfo, unescapeMount } from '../parse/mountinfo.ts';
import { ownPrivileges } from '../syscall/capability.ts';
import { asUser, CHANGE_USER, type User } from '../syscall/identity.ts';
import { syscall } from '../syscall/libc.ts';
import { type Candidate, withEffective } from './acquire.ts';

/**
 * Who serves. Root without capabilities still owns what root owns, so a process that root started serves as a user who owns
 * nothing, unless something would be lost: that is found out by asking the kernel as that user, before the change.
 */

/** The user whom Linux keeps for nobody's things: `DEFAULT_OVERFLOWUID` of `include/linux/highuid.h`. */
const NOBODY: User = { uid: 65534, gid: 65534 };
const ROOT: User = { uid: 0, gid: 0 };
export const AUTO = 'auto';

/** Parses `uid`, `uid:gid` or a name of `/etc/passwd`. Throws a `UsageError`. */
export function parseUser(text: string, passwd: () => string): User {
  const [, uid, gid] = /^([0-9]{1,10})(?::([0-9]{1,10}))?$/.exec(text) ?? [];
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid ?? uid) };
  for (const line of passwd().split('\n')) {
    const [name, , id, group] = line.split(':');
    if (name === text && id !== undefined && group !== undefined) return { uid: Number(id), gid: Number(group) };
  }
  throw new UsageError(`--privilege.user: /etc/passwd has no ${JSON.stringify(text)}`);
}

/** The user of `--privilege.user`; `undefined` where that is left to the program. */
export const userOf = (wish: string): User | undefined =>
  wish === AUTO ? undefined : parseUser(wish, () => readFileSync('/etc/passwd', 'utf8'));

export interface UserParts {
  readonly wish: string;
  /** The enabled collectors. */
  readonly candidates: readonly Candidate[];
  /** The roots of the trees, by the prefix that stands for them in `reads`. */
  readonly trees: Readonly<Record<string, string>>;
  /** Files that are read besides: of the web configuration. */
  readonly files: readonly string[];
  /** Paths that are open already. */
  readonly held: ReadonlySet<string>;
  readonly log: Logger;
}

/** As many names as show what a folder's files are like; each of a last name's files may have a mode of its own. */
const FOLDERS_MAX = 3;
const FILES_MAX = 256;
const REFUSED = ['EACCES', 'EPERM'] as const;
const WITHOUT = ['ENOENT', 'ENOTDIR', 'ESRCH', 'EINVAL', 'ELOOP', 'ENODEV', ...REFUSED] as const;

/** `{a,b}` of a pattern, written out. */
function writtenOut(pattern: string): string[] {
  const [whole, alternatives] = /\{([^{}]*)\}/.exec(pattern) ?? [];
  if (whole === undefined || alternatives === undefined) return [pattern];
  return alternatives.split(',').flatMap((each) => writtenOut(pattern.replace(whole, each)));
}

const isOpen = (part: string): boolean => /[<*[?]/.test(part);

function namesLike(folder: string, part: string, isLast: boolean): string[] {
  const pattern = part.split(/<[^>]*>|\*/).map((literal) => RegExp.escape(literal));
  const like = new RegExp(`^${pattern.join('.*')}$`);
  const names = optional(() => readdirSync(pathOf(folder || '/'), 'latin1'), WITHOUT) ?? [];
  return names.filter((name) => like.test(name)).slice(0, isLast ? FILES_MAX : FOLDERS_MAX);
}

/** Some of the paths that a pattern of `reads` stands for on this machine; one character per byte. */
export function pathsLike(pattern: string): string[] {
  let paths = [''];
  const parts = pattern.split('/').slice(1);
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1;
    paths = paths.flatMap((path) =>
      isOpen(part) ? namesLike(path, part, isLast).map((name) => `${path}/${name}`) : [`${path}/${part}`],
    );
  }
  return paths;
}

const AT_FDCWD = -100;
const AT_EACCESS = 0x200;

/** By what is effective: access(2) would answer for the real user with all that is permitted. Before Linux 5.8 it must do. */
function may(path: string, mode: number): boolean {
  try {
    syscall('faccessat2', AT_FDCWD, Buffer.from(`${path}\0`, 'latin1'), mode, AT_EACCESS);
    return true;
  } catch (error) {
    return hasErrno(error, ['ENOSYS']) && optional(() => accessSync(pathOf(path), mode) ?? true, WITHOUT) === true;
  }
}

const NETWORK = /^(9p|afs|ceph|cifs|fuse|glusterfs|lustre|ncpfs|nfs|smb)/;

/** What may hang must not be asked for: below a file system of the network, or of a daemon. */
function mayHang(mountinfo: string): (path: string) => boolean {
  const points = parseMountinfo(mountinfo)
    .filter(({ fsType }) => NETWORK.test(fsType))
    .map(({ mountPoint }) => unescapeMount(mountPoint));
  return (path) => points.some((point) => path === point || path.startsWith(`${point}/`));
}

/** The process's own files are its user's, whoever that is. */
const isOwn = (path: string): boolean => /^\/proc\/(self|thread-self)\/(?!exe)/.test(path);

interface Question {
  readonly owner: string;
  /** One character per byte. */
  readonly path: string;
  readonly mode: number;
}

function questionsOf({ candidates, trees, files, held }: UserParts): Question[] {
  const hangs = mayHang(optional(() => readFileSync('/proc/self/mountinfo', 'latin1'), WITHOUT) ?? '');
  const placed = (pattern: string): string => {
    const prefix = Object.keys(trees).find((each) => pattern.startsWith(`${each}/`));
    return prefix === undefined ? pattern : `${bytesOf(trees[prefix] ?? '')}${pattern.slice(prefix.length)}`;
  };
  const questions = candidates.flatMap(({ collector, host }) => {
    const needs = collector.needs?.(host) ?? {};
    const read = collector.reads.filter((path) => path.startsWith('/')).flatMap(writtenOut);
    const opened = [
      ...read.map(placed),
      ...(needs.files ?? []).map((path) => bytesOf(resolve(path))).flatMap((path) => [path, `${path}/*`]),
    ];
    const owner = collector.name;
    const sockets = (needs.sockets ?? []).flatMap((need) =>
      need.family === 'unix' && need.path !== undefined ? bytesOf(need.path) : [],
    );
    return [
      ...opened.flatMap((each) => pathsLike(each)).map((path) => ({ owner, path, mode: constants.R_OK })),
      ...sockets.map((path) => ({ owner, path, mode: constants.W_OK })),
      // Not the mount itself: asking about it may take for ever.
      ...(optional(() => needs.asksAbout?.(), WITHOUT) ?? []).map((path) => ({
        owner,
        path: dirname(path),
        mode: constants.X_OK,
      })),
    ];
  });
  const ours = files.map((path) => ({ owner: 'web', path: bytesOf(path), mode: constants.R_OK }));
  const all = [...questions, ...ours, { owner: 'exec', path: '/proc/self/exe', mode: constants.X_OK }];
  return all.filter(({ path }) => !isOwn(path) && !held.has(posix.normalize(decodeName(path))) && !hangs(path));
}

/** What root may read without any capability and this user may not: the path, behind the collector's name. */
function lostTo(user: User, parts: UserParts): string[] {
  const questions = questionsOf(parts);
  const { permitted } = ownPrivileges();
  const refused = asUser(user, () => questions.filter(({ path, mode }) => !may(path, mode)));
  const lost = withEffective(0n, permitted, () => refused.filter(({ path, mode }) => may(path, mode)));
  return [...new Set(lost.map(({ owner, path }) => `${owner}: ${decodeName(path)}`))];
}

const SHOWN_MAX = 8;
const shown = (lost: readonly string[]): string =>
  [...lost.slice(0, SHOWN_MAX), ...(lost.length > SHOWN_MAX ? [`and ${lost.length - SHOWN_MAX} more`] : [])].join(', ');

/** The user to become before the process serves; `undefined` to stay. Says in the log what decided it. */
export function chooseUser(parts: UserParts): User | undefined {
  const { wish, log } = parts;
  const given = userOf(wish);
  const isRoot = process.geteuid?.() === ROOT.uid;
  if (!isRoot || (ownPrivileges().permitted & CHANGE_USER) !== CHANGE_USER) {
    if (given !== undefined && given.uid !== process.geteuid?.())
      log.warn('cannot become another user: not root, or without CAP_SETUID and CAP_SETGID', { user: wish });
    return undefined;
  }
  if (given?.uid === ROOT.uid) return undefined;
  const user = given ?? NOBODY;
  let lost: string[];
  try {
    lost = lostTo(user, parts);
  } catch (error) {
    // A user namespace that does not know this user.
    log.warn('cannot become another user', { uid: user.uid, err: messageOf(error) });
    return undefined;
  }
  if (lost.length === 0) return user;
  if (given !== undefined) {
    log.warn('this user may not read what root may', { uid: user.uid, lost: shown(lost) });
    return user;
  }
  log.info('Serving as root without capabilities: another user could not read everything', {
    lost: shown(lost),
    change: '--privilege.user=65534 serves without it',
  });
  return undefined;
}
