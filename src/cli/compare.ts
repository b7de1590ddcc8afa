import { readFile } from 'node:fs/promises';
import { get as getPlain, type IncomingMessage, type RequestOptions } from 'node:http';
import { get as getSecure } from 'node:https';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { LimitError, messageOf, UsageError } from '../core/errors.ts';
import { parseFlags } from '../core/flag.ts';
import { parseExposition } from '../parse/exposition_text.ts';
import { HELPS } from './command_helps.ts';
import { type Comparison, compare as compareScrapes, isLoss, type Scrape, seriesOf } from './comparison.ts';
import { commandFlags } from './flags.ts';

/** Between the two scrapes of the first: what moves meanwhile may differ. */
const APART_MS = 1000;
const REQUEST_MS = 30_000;
/** A longer answer is refused: 256 MiB. */
const ANSWER_BYTES_MAX = 256 << 20;
const SERIES_SHOWN_MAX = 20;

async function bodyOf(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    sizeBytes += chunk.length;
    if (sizeBytes > ANSWER_BYTES_MAX) throw new LimitError(`longer than ${ANSWER_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

export async function fetchText(url: URL, insecure: boolean): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const { username, password } = url;
  const options: RequestOptions & { rejectUnauthorized: boolean } = {
    ...(username === '' ? {} : { auth: `${decodeURIComponent(username)}:${decodeURIComponent(password)}` }),
    headers: { accept: 'text/plain; version=0.0.4' },
    rejectUnauthorized: !insecure,
    signal: AbortSignal.timeout(REQUEST_MS),
    agent: false,
  };
  (url.protocol === 'https:' ? getSecure : getPlain)(url, options, resolve).on('error', reject);
  const answer = await promise;
  const text = await bodyOf(answer);
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}: ${text.slice(0, 200).trim()}`);
  return text;
}

const urlOf = (place: string): URL | undefined => {
  if (!/^https?:\/\//.test(place)) return undefined;
  const url = new URL(place);
  if (url.pathname === '/') url.pathname = '/metrics';
  return url;
};

/** The place without the password. */
const shownPlace = (place: string): string => place.replace(/\/\/[^/@]*@/, '//');

async function scrape(place: string, insecure: boolean): Promise<Scrape> {
  try {
    const url = urlOf(place);
    const text = url === undefined ? await readFile(place, 'utf8') : await fetchText(url, insecure);
    return seriesOf(parseExposition(text));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    throw new Error(`${shownPlace(place)}: ${messageOf(error) || code}`, { cause: error });
  }
}

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

const section = (title: string, lines: readonly string[]): string[] =>
  lines.length === 0
    ? []
    : [
        '',
        `${title}:`,
        ...lines.slice(0, SERIES_SHOWN_MAX).map((line) => `  ${line}`),
        ...(lines.length > SERIES_SHOWN_MAX ? [`  and ${lines.length - SERIES_SHOWN_MAX} more (--json has all)`] : []),
      ];

/** The report for people. */
function comparisonText({ first, second, lost, labelled, gained, values, exporter }: Comparison): string {
  const families = ({ name, type, series }: { name: string; type: string; series: number }): string =>
    `${name} (${type}, ${counted(series, 'series', 'series')})`;
  const losses = lost.families.length + lost.types.length + lost.series.length;
  return [
    losses === 0
      ? 'Nothing is lost.'
      : `Lost: ${counted(lost.families.length, 'family', 'families')}, ${counted(lost.types.length, 'type', 'types')}, ${lost.series.length} series.`,
    '',
    `first   ${first.place}: ${first.families} families, ${first.series} series`,
    `second  ${second.place}: ${second.families} families, ${second.series} series`,
    ...section('Families that the second has not', lost.families.map(families)),
    ...section(
      'Types that differ',
      lost.types.map((each) => `${each.name}: ${each.first}, now ${each.second}`),
    ),
    ...section('Series that the second has not', lost.series),
    ...section(
      'Series with further labels (no loss)',
      labelled.map((each) => `${each.first}: now ${each.second}`),
    ),
    ...section(
      'Values that differ (no loss)',
      values.map((each) => `${each.series}: ${each.first}, now ${each.second}`),
    ),
    ...section('Families that the second has besides', gained.families.map(families)),
    ...section('Series that the second has besides', gained.series),
    ...section('About the exporter itself, only in the first (no loss)', exporter.lost),
    '',
  ].join('\n');
}

export interface CompareParts {
  write(text: string): void;
  /** Takes what went wrong; stderr by itself. */
  complain?(text: string): void;
  /** Milliseconds between the two scrapes of the first. */
  readonly apartMs?: number;
}

const toStderr = (text: string): void => void process.stderr.write(text);

/** `keyhole compare`; `argv` is what follows the word. Answers the exit status. */
export async function compare(
  argv: readonly string[],
  { write, complain = toStderr, apartMs = APART_MS }: CompareParts,
): Promise<number> {
  const places = argv.filter((arg) => !arg.startsWith('-'));
  const parsed = parseFlags(
    argv.filter((arg) => arg.startsWith('-')),
    Object.values(commandFlags),
  );
  if (parsed.valueOf(commandFlags.help)) {
    write(HELPS.compare);
    return 0;
  }
  const [first, second, ...more] = places;
  if (first === undefined || second === undefined || more.length > 0)
    throw new UsageError('compare takes two URLs or files: keyhole compare --help');
  const insecure = parsed.valueOf(commandFlags.insecure);
  let comparison: Comparison;
  try {
    const before = await scrape(first, insecure);
    const taken = await scrape(second, insecure);
    if (urlOf(first) !== undefined) await delay(apartMs);
    const later = urlOf(first) === undefined ? before : await scrape(first, insecure);
    comparison = compareScrapes(
      { place: shownPlace(first), before, later },
      { place: shownPlace(second), scrape: taken },
    );
  } catch (error) {
    complain(`keyhole compare: ${messageOf(error)}\n`);
    return 2;
  }
  write(parsed.valueOf(commandFlags.json) ? `${JSON.stringify(comparison, null, 2)}\n` : comparisonText(comparison));
  return isLoss(comparison) ? 1 : 0;
}
