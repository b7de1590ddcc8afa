import type { Disk } from '../../src/source/disk.ts';
import { alteredDisk, refusal } from './disk.ts';

/** One place that answers otherwise: a file with another text, one character for each byte; or an errno. */
export type Strike = { readonly path: string } & ({ readonly text: string } | { readonly code: string });

/**
 * The disk with at most one place struck; `strikeOf` is asked at each question. An errno is what reading a file or listing a
 * folder answers, and everything that is asked below it. With ENOENT the thing is not there.
 */
export function struckDisk(strikeOf: () => Strike | undefined): Disk {
  const codeAt = (path: string, isRead: boolean): string | undefined => {
    const strike = strikeOf();
    if (strike === undefined || !('code' in strike)) return undefined;
    const { path: at, code } = strike;
    return path.startsWith(`${at}/`) || (path === at && (isRead || code === 'ENOENT')) ? code : undefined;
  };
  const throwAt = (path: string, isRead: boolean): void => {
    const code = codeAt(path, isRead);
    if (code !== undefined) throw refusal(code, path);
  };
  const isAbsent = (path: string): boolean => {
    if (codeAt(path, false) === 'ENOENT') return true;
    throwAt(path, false);
    return false;
  };
  const disk = alteredDisk({
    bytes(path, real) {
      throwAt(path, true);
      const strike = strikeOf();
      return strike?.path === path && 'text' in strike ? Buffer.from(strike.text, 'latin1') : real;
    },
    list(path, real) {
      throwAt(path, true);
      return real.filter((name) => codeAt(`${path}/${name}`, false) !== 'ENOENT');
    },
    link(path, real) {
      throwAt(path, true);
      return real();
    },
    real(path, real) {
      throwAt(path, false);
      return real();
    },
  });
  return {
    ...disk,
    isThere: (path) => !isAbsent(path) && disk.isThere(path),
    identity: (path) => (isAbsent(path) ? undefined : disk.identity(path)),
    sizeBytes(path) {
      throwAt(path, false);
      return disk.sizeBytes(path);
    },
  };
}
