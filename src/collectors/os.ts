import { defineCollector } from '../core/collector.ts';
import { NoDataError, ParseError } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { lines } from '../core/text.ts';

const FILES = ['etc/os-release', 'usr/lib/os-release'] as const;

/** The labels of `node_os_info`: the file's keys in small letters. */
const LABELS = [
  'build_id',
  'id',
  'id_like',
  'image_id',
  'image_version',
  'name',
  'pretty_name',
  'variant',
  'variant_id',
  'version',
  'version_codename',
  'version_id',
] as const;

/** Within double quotes a backslash escapes these only, as in a shell. */
const ESCAPED = new Set(['"', '\\', '$', '`']);

/** A value as a shell would read it, without a comment behind it; `undefined` where a quote is not closed. */
function unquote(text: string): string | undefined {
  let value = '';
  let quote = '';
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i] as string;
    const next = text[i + 1];
    if (char === '#' && quote === '' && /^\s?$/.test(text[i - 1] ?? '')) return unquote(text.slice(0, i).trimEnd());
    if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) quote = char;
    else if (char === '\\' && quote !== "'" && next !== undefined && (quote === '' || ESCAPED.has(next))) {
      value += next;
      i += 1;
    } else value += char;
  }
  return quote === '' ? value : undefined;
}

export interface OsRelease {
  readonly values: ReadonlyMap<string, string>;
  /** Lines that cannot be read. */
  readonly faults: readonly ParseError[];
}

/** Parses `os-release`: the values by their keys. https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
export function parseOsRelease(text: string): OsRelease {
  const values = new Map<string, string>();
  const faults: ParseError[] = [];
  for (const line of lines(text)) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    const [, key, quoted = ''] = /^(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s.exec(content) ?? [];
    const value = unquote(quoted);
    if (key === undefined || value === undefined) faults.push(new ParseError('os-release', line));
    else values.set(key, value);
  }
  return { values, faults };
}

/** The number that a version begins with: 22.04 of `22.04.3`. */
export function parseVersion(versionId: string): number | undefined {
  const [number] = /^[0-9]+\.?[0-9]*/.exec(versionId) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** Parses a day (`2027-05-31`) to the second it begins, since 1970, in UTC; `undefined` for what is none. */
export function parseDay(day: string): number | undefined {
  const ms = /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(day) ? Date.parse(`${day}T00:00:00Z`) : Number.NaN;
  // 30 February would be 2 March.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, day.length) !== day) return undefined;
  return ms / 1000;
}

export default defineCollector({
  name: 'os',
  help: 'Exposes the name and version of the operating system.',
  enabled: true,
  reads: FILES.map((file) => `/${file}`),
  flags: {},
  metrics: {
    info: gauge('node_os_info', 'What os-release says of the operating system, as labels; always 1.', ...LABELS),
    version: gauge(
      'node_os_version',
      'The first two numbers of the version of the operating system.',
      'id',
      'id_like',
      'name',
    ),
    supportEnd: gauge(
      'node_os_support_end_timestamp_seconds',
      'When support for the operating system ends, in seconds since 1970.',
    ),
  },
  setup({ root }, metrics) {
    const files = FILES.map((file) => root.settled(file).as(describe));
    return (out) => {
      // The second is read only where the first is not there.
      const found = files
        .values()
        .map((file) => file(out))
        .find((each) => each !== undefined);
      if (found === undefined) throw new NoDataError('there is no os-release');
      out.row(metrics.info, 1, found.labels);
      if (found.version !== undefined && found.version > 0) out.sample(metrics.version, found.version, ...found.names);
      out.sample(metrics.supportEnd, found.supportEndSeconds);
      for (const fault of found.faults) out.fault(fault);
    };
  },
});

/** What the metrics need of an `os-release`. */
function describe(text: string) {
  const { values, faults } = parseOsRelease(text);
  const of = (key: string): string => values.get(key) ?? '';
  const supportEnd = of('SUPPORT_END');
  const supportEndSeconds = supportEnd === '' ? undefined : parseDay(supportEnd);
  const isOdd = supportEnd !== '' && supportEndSeconds === undefined;
  return {
    labels: LABELS.map((label) => of(label.toUpperCase())),
    names: [of('ID'), of('ID_LIKE'), of('NAME')] as const,
    version: parseVersion(of('VERSION_ID')),
    supportEndSeconds,
    faults: isOdd ? [...faults, new ParseError('os-release', `SUPPORT_END=${supportEnd}`)] : faults,
  };
}
