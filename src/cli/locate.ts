// Where in the kernel's files a value stands, found by experiment: the collector runs over a copy of its files in which
// one number is changed; where its sample changes too, the number is the one.
import {
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import process from 'node:process';
import type { AnyCollector } from '../core/assemble.ts';
import { hasErrno, optional } from '../core/errors.ts';
import type { ParsedFlags } from '../core/flag.ts';
import { glob } from '../core/glob.ts';
import type { Program } from './commands.ts';
import { programFlags } from './flags.ts';
import { perfKindOf } from './metric_facts.ts';
import { openTrial } from './trial.ts';

export interface Series {
  /** As in the text format: `name{label="value"}`. */
  readonly key: string;
  /** As in the text format. */
  readonly value: string;
}

/** A number in a file; lines and columns count from 1. */
export interface Located {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The whole line. */
  readonly text: string;
  /** The number as it is written there. */
  readonly number: string;
  /** What the metric is while the number is this. */
  readonly value: string;
}

interface Asked {
  readonly program: Program;
  readonly parsed: ParsedFlags;
  readonly collector: AnyCollector;
  readonly name: string;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)((?:\{.*\})?) (\S+)$/;

/** Series of a name, and why there are none. */
export interface Found {
  readonly series: readonly Series[];
  /** Why there is nothing, or less than one might look for, as far as that is known. */
  readonly why: string | undefined;
}

/** What a scrape has of a name, with these labels. */
export function seriesIn(text: string, name: string, labels: ReadonlyMap<string, string> = new Map()): Series[] {
  const wanted = [...labels].map(([label, value]) => `${label}="${value}"`);
  return text
    .split('\n')
    .flatMap((line) => {
      const [, family, pairs, value = ''] = LINE.exec(line) ?? [];
      return family === name ? [{ key: `${family}${pairs}`, value }] : [];
    })
    .filter(({ key }) => wanted.every((pair) => new RegExp(`[{,]${RegExp.escape(pair)}[,}]`).test(key)));
}

/** What the collector writes now, and what it says of itself. */
async function run({ program, parsed, collector, name }: Asked): Promise<{ text: string; why: string }> {
  const { scrape, registry, close } = openTrial(program, parsed, [collector]);
  try {
    const text = await scrape();
    const [state] = registry.states();
    const kind = perfKindOf(name);
    const [unavailable] = text.match(new RegExp(`^keyhole_perf_unavailable\\{kind="${kind}".*\\}`, 'm')) ?? [];
    const why = [state?.error ?? state?.remark, unavailable].filter((each) => each !== undefined).join('; ');
    return { text, why };
  } finally {
    close();
  }
}

/** The series that have these labels. */
export async function seriesNow(asked: Asked & { readonly labels: ReadonlyMap<string, string> }): Promise<Found> {
  const { text, why } = await run(asked);
  // What the collector says is no reason for labels that no series has.
  const isNone = seriesIn(text, asked.name).length === 0;
  return { series: seriesIn(text, asked.name, asked.labels), why: isNone && why !== '' ? why : undefined };
}

/** The alternatives of `a{b,c}d`. */
function alternatives(pattern: string): string[] {
  const match = /^(.*?)\{([^{}]*)\}(.*)$/.exec(pattern);
  if (match === null) return [pattern];
  const [, before = '', inside = '', after = ''] = match;
  return inside.split(',').flatMap((each) => alternatives(`${before}${each}${after}`));
}

/** A collector that reads more is left alone. */
const FILES_MAX = 2000;
const REFUSALS = [
  'ENOENT',
  'EACCES',
  'EPERM',
  'EISDIR',
  'EINVAL',
  'EIO',
  'ENODEV',
  'ENXIO',
  'ELOOP',
  'ENOTDIR',
  'EAGAIN',
  'ESRCH',
  'ENODATA',
  'ENOTSUP',
];

const isNamed = (pattern: string): boolean => !/\*[^/]*$/.test(pattern);
/** Reading what only root may, such as the registers of a device, could change something. */
const isOpenToAll = (file: string): boolean =>
  ((statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & constants.S_IROTH) !== 0;

/** The files below a root that a declaration such as `/sys/class/net/<device>/*` means. */
async function filesOf(reads: readonly string[], tree: '/proc' | '/sys', root: string): Promise<string[]> {
  const patterns = reads
    .filter((file) => file.startsWith(`${tree}/`))
    .flatMap((file) => alternatives(file.replace(/<[^>]+>/g, '*')))
    .map((file) => `${root}${file.slice(tree.length)}`);
  const found = new Set<string>();
  for (const pattern of patterns)
    for (const file of await glob(pattern)) if (isNamed(pattern) || isOpenToAll(file)) found.add(file);
  return [...found].sort().slice(0, FILES_MAX);
}

/** Makes what is at `path` below `root` be below `copy` too, with the links on the way; answers the file that it made. */
function copyInto(copy: string, root: string, path: string): string | undefined {
  let at = root;
  const parts = relative(root, path).split('/');
  for (const [i, part] of parts.entries()) {
    at = join(at, part);
    const target = join(copy, relative(root, at));
    const stat = lstatSync(at);
    if (stat.isSymbolicLink()) {
      const to = resolve(dirname(at), readlinkSync(at));
      if (!to.startsWith(`${root}/`)) return undefined;
      makeLink(target, relative(dirname(at), to));
      return copyInto(copy, root, join(to, ...parts.slice(i + 1)));
    }
    if (!stat.isDirectory()) {
      writeFileSync(target, readFileSync(at));
      return target;
    }
    mkdirSync(target, { recursive: true });
  }
  return undefined;
}

function makeLink(path: string, to: string): void {
  try {
    symlinkSync(to, path);
  } catch (error) {
    if (!hasErrno(error, ['EEXIST'])) throw error;
  }
}

/** A copy of the files that the collector reads. */
interface Copy {
  readonly folder: string;
  /** The files in it, with the paths by which the collector names them: links on the way lead elsewhere, `/proc/net` to a process. */
  readonly files: readonly (readonly [copy: string, origin: string])[];
}

async function copyOf({ parsed, collector }: Asked): Promise<Copy> {
  const folder = mkdtempSync(join(tmpdir(), `keyhole-explain-${process.pid}-`));
  const made = new Map<string, string>();
  for (const [tree, root] of [
    ['/proc', resolve(parsed.valueOf(programFlags.procfs))],
    ['/sys', resolve(parsed.valueOf(programFlags.sysfs))],
  ] as const) {
    const copy = join(folder, tree);
    mkdirSync(copy);
    for (const path of await filesOf(collector.reads, tree, root)) {
      const file = optional(() => copyInto(copy, root, path), REFUSALS);
      if (file !== undefined && !made.has(file)) made.set(file, join(tree, relative(root, path)));
    }
  }
  return { folder, files: [...made] };
}

/** The flags, but for the trees. */
const withTrees = (parsed: ParsedFlags, folder: string): ParsedFlags => ({
  valueOf: <T>(asked: Parameters<ParsedFlags['valueOf']>[0]): T => {
    if (asked === programFlags.procfs) return join(folder, 'proc') as T;
    if (asked === programFlags.sysfs) return join(folder, 'sys') as T;
    return parsed.valueOf(asked) as T;
  },
  isGiven: (asked) => parsed.isGiven(asked),
});

/** Between a number of the kernel and the value made of it. */
const SCALES = [1, 1024, 512, 4096, 1000, 100, 1e6, 1e9];

const isLike = (number: number, value: number): boolean =>
  SCALES.some((scale) =>
    [number * scale, number / scale].some((made) => Math.abs(made - value) <= Math.abs(value) * 1e-9),
  );

interface Candidate extends Omit<Located, 'value'> {
  readonly copy: string;
  readonly content: string;
  /** Where in the content. */
  readonly at: number;
}

function candidatesIn([copy, file]: Copy['files'][number]): Candidate[] {
  const content = readFileSync(copy, 'latin1');
  const found: Candidate[] = [];
  let at = 0;
  for (const [i, text] of content.split('\n').entries()) {
    for (const match of text.matchAll(/\d+(\.\d+)?/g))
      found.push({
        file,
        line: i + 1,
        column: match.index + 1,
        text,
        number: match[0],
        copy,
        content,
        at: at + match.index,
      });
    at += text.length + 1;
  }
  return found;
}

/** Another number of the same length. */
const changed = (number: string): string =>
  `${number.slice(0, -1)}${number.endsWith('9') ? '8' : Number(number.at(-1)) + 1}`;

/** How well a place fits by its words: the file and the words of the line in the metric's name, its labels in path and line. */
function fitOf({ file, text }: Candidate, key: string): number {
  const name = key.replace(/\{.*/, '').toLowerCase();
  const labels = [...key.matchAll(/="((?:[^"\\]|\\.)+)"/g)].map(([, value = '']) => value);
  const words = (text.match(/[A-Za-z_]{3,}/g) ?? []).filter((word) => name.includes(word.toLowerCase()));
  const named = name.includes(basename(file).toLowerCase()) ? 2 : 0;
  return named + Math.min(words.length, 1) + labels.filter((value) => `${file} ${text}`.includes(value)).length;
}

/** The number in a kernel file that makes the value of a series, if one alone does and is found by `untilMs` of the clock. */
export async function locate(
  asked: Asked & { readonly series: Series; readonly untilMs: number },
): Promise<Located | undefined> {
  if (performance.now() > asked.untilMs) return undefined;
  const { folder, files } = await copyOf(asked);
  try {
    const over = { ...asked, parsed: withTrees(asked.parsed, folder) };
    const valueNow = async (): Promise<string | undefined> => {
      const { text } = await run(over);
      return seriesIn(text, asked.name).find(({ key }) => key === asked.series.key)?.value;
    };
    const { key } = asked.series;
    const candidates = files.flatMap(candidatesIn).map((each) => [each, fitOf(each, key)] as const);
    const sorted = candidates.sort(([, a], [, b]) => b - a).map(([each]) => each);
    return await experiment(sorted, asked.untilMs, valueNow);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Changes one number after the other, those first that look like the value. */
async function experiment(
  all: readonly Candidate[],
  untilMs: number,
  valueNow: () => Promise<string | undefined>,
): Promise<Located | undefined> {
  const before = await valueNow();
  if (before === undefined) return undefined;
  const likely = all.filter(({ number }) => isLike(Number(number), Number(before)));
  for (const { copy, content, at, file, line, column, text, number } of new Set([...likely, ...all])) {
    const other = content.slice(0, at) + changed(number) + content.slice(at + number.length);
    const valueWith = (written: string): Promise<string | undefined> => {
      writeFileSync(copy, written, 'latin1');
      return valueNow();
    };
    if (performance.now() > untilMs) return undefined;
    const after = await valueWith(other);
    if (after === undefined || after === before) {
      writeFileSync(copy, content, 'latin1');
      continue;
    }
    // A value that does not come back, and does not change the same way again, changes by itself.
    const again = [await valueWith(content), await valueWith(other), await valueWith(content)];
    const isMade = again[0] === before && again[1] === after && again[2] === before;
    return isMade ? { file, line, column, text, number, value: before } : undefined;
  }
  return undefined;
}
