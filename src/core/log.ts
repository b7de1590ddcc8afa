import type { Writable } from 'node:stream';

/** As promslog writes them. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  /** Whether `debug` writes anything. */
  readonly isDebug: boolean;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines carry these fields too; `source`, the file that speaks, stands before the message. */
  with(fields: LogFields): Logger;
}

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const;
export const LOG_FORMATS = ['logfmt', 'json'] as const;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: (typeof LOG_FORMATS)[number];
  /** Takes lines, each with its newline; `false` where it gives them up. */
  write(text: string): unknown;
  now?(): Date;
}

const two = (value: number): string => String(value).padStart(2, '0');

/** RFC 3339 in local time with milliseconds. */
export function timestamp(date: Date): string {
  const offset = -date.getTimezoneOffset();
  const zone =
    offset === 0
      ? 'Z'
      : `${offset < 0 ? '-' : '+'}${two(Math.trunc(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day}T${time}.${String(date.getMilliseconds()).padStart(3, '0')}${zone}`;
}

const textOf = (value: unknown): string =>
  value instanceof Error ? value.message : typeof value === 'object' ? JSON.stringify(value) : String(value);

/** Quotes as Go's slog does: where a blank, a quote, `=` or anything unprintable is in it, or where it is empty. */
const logfmtValue = (value: unknown): string => {
  const text = textOf(value);
  return text === '' || /[\s"=\p{C}\ufffd]/u.test(text) ? JSON.stringify(text) : text;
};

const logfmt = (entries: readonly (readonly [string, unknown])[]): string =>
  `${entries.map(([key, value]) => `${key}=${logfmtValue(value)}`).join(' ')}\n`;

const json = (entries: readonly (readonly [string, unknown])[]): string =>
  `${JSON.stringify(
    Object.fromEntries(entries.map(([key, value]) => [key, typeof value === 'object' ? textOf(value) : value])),
  )}\n`;

/** Bytes of lines that wait for a reader. */
const WAITING_BYTES_MAX = 1 << 20;

/** A `write` onto a stream that may be a pipe which nobody reads: what does not fit in a bounded queue is given up. */
export const boundedWrite =
  (stream: Pick<Writable, 'write' | 'writableLength'>) =>
  (line: string): boolean => {
    if (stream.writableLength + line.length > WAITING_BYTES_MAX) return false;
    stream.write(line);
    return true;
  };

/** A `write` that says how many lines were given up, as soon as lines are taken again. */
function countingWrite({ write }: LogOptions, lostLine: (count: number) => string): (line: string) => void {
  let lost = 0;
  return (line) => {
    const isTaken = write(lost === 0 ? line : lostLine(lost) + line) !== false;
    lost = isTaken ? 0 : lost + 1;
  };
}

export function createLogger(options: LogOptions, bound: LogFields = {}): Logger {
  const { format, now = () => new Date() } = options;
  const lineOf = (level: LogLevel, message: string, fields: LogFields): string => {
    const { source, ...rest } = fields;
    const head = { time: timestamp(now()), level: level.toUpperCase(), source, msg: message };
    const entries = Object.entries({ ...head, ...rest }).filter(([, value]) => value !== undefined);
    return format === 'json' ? json(entries) : logfmt(entries);
  };
  const write = countingWrite(options, (count) =>
    lineOf('warn', 'Log lines were lost, since nobody read them', { ...bound, count }),
  );
  return loggerOf(options.level, bound, (level, message, fields) => write(lineOf(level, message, fields)));
}

function loggerOf(
  least: LogLevel,
  bound: LogFields,
  write: (level: LogLevel, message: string, fields: LogFields) => void,
): Logger {
  const log = (level: LogLevel) => {
    if (LOG_LEVELS.indexOf(level) < LOG_LEVELS.indexOf(least)) return () => {};
    return (message: string, fields: LogFields = {}) => write(level, message, { ...bound, ...fields });
  };
  return {
    isDebug: least === 'debug',
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (fields) => loggerOf(least, { ...bound, ...fields }, write),
  };
}

/** For tests and for what runs before there is a log. */
export const silent: Logger = {
  isDebug: false,
  debug() {},
  info() {},
  warn() {},
  error() {},
  with: () => silent,
};
