import { decodeName } from './utf8.ts';

/** A fault that the registry or the command line can name in one line. Each class has a stable code; docs/errors.md lists them. */
export abstract class ExporterError extends Error {
  abstract readonly code: string;
}

/** The kernel has nothing of the kind here. Not a fault: logged at debug, but the collector did not succeed. */
export class NoDataError extends ExporterError {
  override readonly name = 'NoDataError';
  readonly code = 'NO_DATA';
}

const QUOTE_MAX = 120;
const quote = (text: string): string => JSON.stringify(text.length > QUOTE_MAX ? `${text.slice(0, QUOTE_MAX)}…` : text);

/** A kernel file that does not look as its documentation says. Quotes the line. */
export class ParseError extends ExporterError {
  override readonly name = 'ParseError';
  readonly code = 'PARSE';
  constructor(file: string, line: string, options?: ErrorOptions) {
    super(`${file}: cannot parse ${quote(line)}`, options);
  }
}

/** What a parser made of a line of `file`, which it cannot parse where it made `undefined` of it. */
export function parsed<T>(value: T | undefined, file: string, line: string): T {
  if (value === undefined) throw new ParseError(file, line);
  return value;
}

/** Runs what parses a line, which costs itself alone where it is odd: that is put to the others. */
export function unlessOdd(faults: ParseError[], parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    faults.push(error);
  }
}

/** More of something than Keyhole is willing to hold. */
export class LimitError extends ExporterError {
  override readonly name = 'LimitError';
  readonly code = 'LIMIT';
}

/** A collector that did not end within `--collector.timeout`. */
export class DeadlineError extends ExporterError {
  override readonly name = 'DeadlineError';
  readonly code = 'DEADLINE';
}

/** A command line, or a setting behind it, that cannot be used: one line on stderr, exit status 1. */
export class UsageError extends ExporterError {
  override readonly name = 'UsageError';
  readonly code = 'USAGE';
  /** Where to look, where that helps; it follows the message after a comma. */
  readonly hint: string | undefined;
  constructor(message: string, { hint, ...options }: ErrorOptions & { readonly hint?: string } = {}) {
    super(message, options);
    this.hint = hint;
  }
}

/** What the kernel answers when a thing is not there (any more). */
export const ABSENT: readonly string[] = ['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR'];
/** What it answers when we may not look. */
export const REFUSED: readonly string[] = ['EACCES', 'EPERM'];
/**
 * What drivers answer for a device that is asleep, broken or being reset, or that has no such property after all; and what is
 * answered for a folder that has the name of an attribute.
 */
const NO_VALUE: readonly string[] = [
  'EAGAIN',
  'EBUSY',
  'EINVAL',
  'EIO',
  'EISDIR',
  'ENODATA',
  'ENOTCONN',
  'ENOTSUP',
  'EPIPE',
  'EREMOTEIO',
  'ESHUTDOWN',
  'ESRCH',
  'ETIMEDOUT',
  // Node has no names for these: ETIME, EBADMSG, and the kernel's own EPROBE_DEFER and ENOTSUPP (include/linux/errno.h).
  'Unknown system error -62',
  'Unknown system error -74',
  'Unknown system error -517',
  'Unknown system error -524',
];
/** All of these: there is nothing to read, and that is no fault of what is optional. */
export const NOTHING: readonly string[] = [...ABSENT, ...REFUSED, ...NO_VALUE];

/** The errno's name as Node has it: 95 is always ENOTSUP, never EOPNOTSUPP. */
export const errnoOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;

/** Whether the kernel answered with an errno, whichever it is. Node's own errors have codes that begin with `ERR_`. */
export const isRefusal = (error: unknown): boolean =>
  /^(E[A-Z0-9]+|Unknown system error -\d+)$/.test(errnoOf(error) ?? '');

/** Whether what was read is to blame for this: bugs of ours are not. */
export const isOfInput = (error: unknown): boolean => error instanceof ExporterError || isRefusal(error);

/** Whether `error` carries one of these errno names; by default those that mean absence. */
export const hasErrno = (error: unknown, codes: readonly string[] = ABSENT): boolean =>
  codes.includes(errnoOf(error) ?? '');

/** Names the file in what the system answered: Node does so for what is opened, and not for what is read. */
export function withPath(error: unknown, path: string): unknown {
  const name = `'${decodeName(path)}'`;
  const isNamed = !isRefusal(error) || 'path' in (error as Error) || messageOf(error).includes(name);
  if (!isNamed) (error as Error).message += ` ${name}`;
  return error;
}

/** Runs `read`, and answers `undefined` where the kernel says that the thing is absent (or one of `codes`). */
export function optional<T>(read: () => T, codes: readonly string[] = ABSENT): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasErrno(error, codes)) return undefined;
    throw error;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
