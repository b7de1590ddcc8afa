import { isUtf8 } from 'node:buffer';
import { constants } from 'node:fs';
import { type FileHandle, open as openFile, readdir } from 'node:fs/promises';
import { posix } from 'node:path';
import { defineCollector, type Turn } from '../core/collector.ts';
import { LimitError, messageOf } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { glob } from '../core/glob.ts';
import type { Logger } from '../core/log.ts';
import { type Family, gauge, type OpenFamily, open } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { parseExpositionInSteps, type TextFamily } from '../parse/exposition_text.ts';

/** A longer file is refused: 16 MiB. */
const FILE_BYTES_MAX = 16 << 20;

interface TextFile {
  /** Cleaned, as the label `file` shows it. */
  readonly path: string;
  readonly mtimeSeconds: number;
  readonly families: readonly TextFamily[];
}

async function readAll(file: FileHandle, expectedBytes: number): Promise<Buffer> {
  let buffer = Buffer.allocUnsafe(Math.min(expectedBytes, FILE_BYTES_MAX) + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) return buffer.subarray(0, length);
    length += bytesRead;
    if (length > FILE_BYTES_MAX) throw new LimitError(`longer than ${FILE_BYTES_MAX} bytes`);
    if (length === buffer.length) buffer = Buffer.concat([buffer], buffer.length * 2);
  }
}

/** A value that is not UTF-8 would reach the scraper as another value; in comments and help it does no harm. */
const spoilt = (family: TextFamily): boolean =>
  [...family.samples, ...family.compounds].some(({ labels }) =>
    labels.values().some((value) => value.includes('\ufffd')),
  );

async function parse(text: string, turn: Turn): Promise<TextFamily[]> {
  const steps = parseExpositionInSteps(text);
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await turn.pause();
  }
}

async function readTextfile(path: string, turn: Turn): Promise<TextFile> {
  // Without O_NONBLOCK a named pipe would hold the open until somebody writes to it.
  const file = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat({ bigint: true });
    if (!stat.isFile()) throw new Error('not a regular file');
    const bytes = await readAll(file, Number(stat.size));
    const families = await parse(bytes.toString('utf8'), turn);
    if (!isUtf8(bytes) && families.some(spoilt)) throw new Error('a label value is not UTF-8');
    return { path, mtimeSeconds: Number(stat.mtimeNs / 1_000_000_000n), families };
  } finally {
    await file.close();
  }
}

/** Says each fault when it comes, not at every scrape. */
function createTeller(log: Logger): { told(path: string, error: unknown): void; next(): void } {
  let before = new Set<string>();
  let now = new Set<string>();
  return {
    told(path, error) {
      const message = messageOf(error);
      const fault = `${path}: ${message}`;
      log[before.has(fault) ? 'debug' : 'error']('textfile cannot be used', { file: path, err: message });
      now.add(fault);
    },
    next() {
      before = now;
      now = new Set();
    },
  };
}

type Tell = (path: string, error: unknown) => void;

/** The `*.prom` paths of the directories, each once, in the directories' order and then by name. */
async function findTextfiles(directories: readonly string[], turn: Turn, tell: Tell): Promise<Set<string>> {
  const found = new Set<string>();
  for (const directory of directories) {
    if (directory === '') continue;
    const matched = await glob(directory);
    for (const folder of matched.length === 0 ? [directory] : matched) {
      await turn.pause();
      try {
        for (const name of (await readdir(folder)).sort())
          if (name.endsWith('.prom')) found.add(posix.join(folder, name));
      } catch (error) {
        tell(folder, error);
      }
    }
  }
  return found;
}

/** The help of each family: the first one given, or the list of the files it is in. */
function helpsOf(files: readonly TextFile[]): Map<string, string> {
  const given = new Map<string, string>();
  const paths = new Map<string, string[]>();
  for (const { path, families } of files) {
    for (const { name, help } of families) {
      if (help !== undefined && !given.has(name)) given.set(name, help);
      const before = paths.get(name);
      if (before === undefined) paths.set(name, [path]);
      else before.push(path);
    }
  }
  for (const [name, all] of paths) if (!given.has(name)) given.set(name, `Metric read from ${all.join(', ')}`);
  return given;
}

const ascending = (points: ReadonlyMap<number, number>): [number, number][] => [...points].sort(([a], [b]) => a - b);

function emit(out: Writer, family: Family, { type, samples, compounds }: TextFamily): void {
  const values = (labels: ReadonlyMap<string, string>): string[] => family.labels.map((name) => labels.get(name) ?? '');
  for (const { labels, value } of samples) out.row(family, value, values(labels));
  for (const { labels, points, sum, count } of compounds) {
    if (type === 'summary') out.summary(family, { quantiles: ascending(points), sum, count }, values(labels));
    else out.histogram(family, { buckets: ascending(points), sum, count }, values(labels));
  }
}

/** Declares the families found in files. Those of the scrape before are kept, so that a steady set is declared once. */
function createDeclarations(found: OpenFamily): { of(family: TextFamily, help: string): Family; next(): void } {
  let before = new Map<string, Family>();
  let now = new Map<string, Family>();
  return {
    of({ name, type, samples, compounds }, help) {
      const labels = new Set<string>();
      for (const series of [...samples, ...compounds]) for (const label of series.labels.keys()) labels.add(label);
      const sorted = [...labels].sort();
      const key = JSON.stringify([type, name, help, ...sorted]);
      const declared = now.get(key) ?? before.get(key) ?? found.of(type, name, help, sorted);
      now.set(key, declared);
      return declared;
    },
    next() {
      before = now;
      now = new Map();
    },
  };
}

export default defineCollector({
  name: 'textfile',
  help: 'Exposes what files in the text format say.',
  enabled: true,
  isForeign: true,
  reads: ['<directory>/*.prom'],
  flags: {
    directories: flag.texts(
      'collector.textfile.directory',
      'Folder whose *.prom files are read, or a shell pattern for folders; repeatable. A file may have 16 MiB.',
      [''],
    ),
  },
  metrics: {
    found: open('<any name in the files>', 'Any family in the files, with its own type, help and labels.'),
    mtime: gauge('node_textfile_mtime_seconds', 'When each file that was read was last changed, in Unix time.', 'file'),
    error: gauge('node_textfile_scrape_error', 'Whether a file or a folder could not be read (1), or all could (0).'),
  },
  setup({ flags, log }, metrics) {
    const teller = createTeller(log);
    const declarations = createDeclarations(metrics.found);
    const isAsked = flags.directories.some((directory) => directory !== '');
    const write = async (out: Writer, turn: Turn): Promise<void> => {
      let failed = false;
      const tell: Tell = (path, error) => {
        failed = true;
        teller.told(path, error);
      };
      const files: TextFile[] = [];
      for (const path of await findTextfiles(flags.directories, turn, tell)) {
        await turn.pause();
        try {
          files.push(await readTextfile(path, turn));
        } catch (error) {
          // Where the time is over this throws, and the file is not to blame.
          await turn.pause();
          tell(path, error);
        }
      }
      const helps = helpsOf(files);
      const accepted: [Family, TextFamily][] = [];
      for (const { path, families } of files) {
        for (const family of families) {
          const help = helps.get(family.name) as string;
          if (family.help === undefined || family.help === help) accepted.push([declarations.of(family, help), family]);
          else tell(path, new Error(`${family.name} has another help text in an earlier file`));
        }
      }
      out.sample(metrics.error, failed ? 1 : 0);
      for (const { path, mtimeSeconds } of files) out.sample(metrics.mtime, mtimeSeconds, path);
      for (const [declared, family] of accepted) {
        await turn.pause();
        emit(out, declared, family);
      }
      teller.next();
      declarations.next();
    };
    return (out, turn) => (isAsked ? write(out, turn) : out.sample(metrics.error, 0));
  },
});
