import { ParseError } from '../core/errors.ts';
import { lines, uint } from '../core/text.ts';

/** One line of `/proc/<pid>/mountinfo`. Texts are as the kernel wrote them: `unescapeMount` turns `\040` into a blank. */
export interface Mount {
  readonly id: number;
  /** The mount that this one stands on; itself at the top of the tree. */
  readonly parentId: number;
  readonly major: number;
  readonly minor: number;
  /** The folder of the file system that is mounted. */
  readonly root: string;
  readonly mountPoint: string;
  /** Of this mount: `rw,relatime`. */
  readonly options: string;
  readonly fsType: string;
  /** The device, the server's path, or whatever name the mounter gave. */
  readonly source: string;
  /** Of the file system, wherever it is mounted: `rw,errors=remount-ro`. */
  readonly superOptions: string;
}

const DEVICE = /^([0-9]+):([0-9]+)$/;
const FIXED_FIELDS = 6;

/**
 * Parses `/proc/<pid>/mountinfo`, in the kernel's order. Between the sixth field and a lone `-` stand any number of optional
 * fields. A line that is odd is handed to `onOdd`: the collector that reports mounts says so, all others pass over it.
 * https://docs.kernel.org/filesystems/proc.html#proc-pid-mountinfo-information-about-mounts
 */
export function parseMountinfo(text: string, onOdd: (error: ParseError) => void = () => {}): Mount[] {
  const mounts: Mount[] = [];
  for (const line of lines(text)) {
    if (line.trim() === '') continue;
    const mount = parseLine(line);
    if (mount === undefined) onOdd(new ParseError('mountinfo', line));
    else mounts.push(mount);
  }
  return mounts;
}

function parseLine(line: string): Mount | undefined {
  // Not `fields`: a source may be the empty text, which shows as two blanks in a row.
  const parts = line.split(' ');
  const separator = parts.indexOf('-', FIXED_FIELDS);
  const [id, parentId, device = '', root, mountPoint, options] = parts;
  const [, major, minor] = DEVICE.exec(device) ?? [];
  const [fsType, source, ...superOptions] = separator < 0 ? [] : parts.slice(separator + 1);
  const numbers = { id: uint(id), parentId: uint(parentId), major: uint(major), minor: uint(minor) };
  if (
    !known(numbers) ||
    root === undefined ||
    mountPoint === undefined ||
    options === undefined ||
    fsType === undefined ||
    source === undefined ||
    superOptions.length === 0
  )
    return undefined;
  return {
    ...numbers,
    root,
    mountPoint,
    options,
    fsType,
    source,
    superOptions: superOptions.join(' '),
  };
}

type Numbers = Pick<Mount, 'id' | 'parentId' | 'major' | 'minor'>;
const known = (numbers: Partial<Record<keyof Numbers, number | undefined>>): numbers is Numbers =>
  Object.values(numbers).every((value) => value !== undefined);

/** File systems behind which stands another machine or a process. */
const BEHIND =
  /^(fuse(\..*|blk)?|nfs4?|cifs|smb3|ceph|9p|virtiofs|autofs|afs|lustre|gpfs|beegfs|ocfs2|gfs2|orangefs|coda|vboxsf)$/;

/** Whether a file system may leave a call without an answer for ever. */
export const mayHang = (fsType: string): boolean => BEHIND.test(fsType);

/** Undoes the kernel's escapes: three octal digits after a backslash, for blanks, newlines, `\` and `#` (all ASCII). */
export const unescapeMount = (text: string): string =>
  text.includes('\\')
    ? text.replace(/\\([01][0-7]{2})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
    : text;

/** Options by name; one without `=` has the empty text. The last wins where a name comes twice. */
export function parseMountOptions(options: string): Map<string, string> {
  const parsed = new Map<string, string>();
  for (const option of options.split(',')) {
    const equals = option.indexOf('=');
    if (equals < 0) parsed.set(option, '');
    else parsed.set(option.slice(0, equals), option.slice(equals + 1));
  }
  return parsed;
}
