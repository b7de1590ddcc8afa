import { defineCollector, type Host, type Turn } from '../core/collector.ts';
import { LimitError, messageOf } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { FileState } from '../core/host.ts';
import type { Logger } from '../core/log.ts';
import { type Family, gauge, type OpenFamily, open } from '../core/metric.ts';
import { MS_OF_SECOND } from '../core/units.ts';
import { bytesOf, decodeName } from '../core/utf8.ts';
import type { Writer } from '../core/writer.ts';
import { type HeldFamily, parseHeld } from '../parse/held_text.ts';

/** A longer file is refused, and so are files that are longer than this together: 16 MiB. */
const FILE_BYTES_MAX = 16 << 20;

/** Families that only the exporter itself can vouch for. */
const OURS = /^(keyhole_|process_|nodejs_|promhttp_|node_scrape_collector_|node_exporter_build_info$)/;

interface TextFile extends FileState {
  /** Cleaned, one character per byte. */
  readonly path: string;
  readonly families: readonly HeldFamily[];
}

type Files = Host['othersFiles'];

async function readTextfile(files: Files, path: string, turn: Turn): Promise<TextFile> {
  const { bytes, ...state } = await files.read(path, FILE_BYTES_MAX);
  return { ...state, path, families: await parseHeld(bytes, turn.pause) };
}

/** Says each fault when it comes, not at every scrape. */
function createTeller(log: Logger): { told(path: string, error: unknown): void; next(): void } {
  let before = new Set<string>();
  let now = new Set<string>();
  return {
    told(path, error) {
      const [file, message] = [decodeName(path), messageOf(error)];
      const fault = `${file}: ${message}`;
      log[before.has(fault) ? 'debug' : 'error']('textfile cannot be used', { file, err: message });
      now.add(fault);
    },
    next() {
      before = now;
      now = new Set();
    },
  };
}

type Tell = (path: string, error: unknown) => void;

/** One that nothing matches is looked for under the name of the pattern. */
async function foldersOf(files: Files, pattern: string): Promise<string[]> {
  const matched = await files.glob(pattern);
  return matched.length === 0 ? [bytesOf(pattern)] : matched;
}

/** The `*.prom` paths of the directories, each once, in the directories' order and then by name. */
async function findTextfiles(
  files: Files,
  directories: readonly string[],
  turn: Turn,
  tell: Tell,
): Promise<Set<string>> {
  const found = new Set<string>();
  for (const directory of directories) {
    if (directory === '') continue;
    for (const folder of await foldersOf(files, directory)) {
      await turn.pause();
      try {
        for (const path of (await files.list(folder)).sort()) if (path.endsWith('.prom')) found.add(path);
      } catch (error) {
        tell(folder, error);
      }
    }
  }
  return found;
}

/** Says at start which folders that were asked for are missing or have no text file: nobody would miss what was never there. */
async function noteEmptyFolders(files: Files, directories: readonly string[], note: Logger['warn']): Promise<void> {
  for (const directory of directories.filter((each) => each !== '')) {
    for (const folder of await foldersOf(files, directory)) {
      try {
        const paths = await files.list(folder);
        if (!paths.some((path) => path.endsWith('.prom')))
          note('no text files yet: the folder has no *.prom', { file: decodeName(folder) });
      } catch (error) {
        note('no text files: the folder cannot be read', { file: decodeName(folder), err: messageOf(error) });
      }
    }
  }
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
  for (const [name, all] of paths)
    if (!given.has(name)) given.set(name, `Metric read from ${all.map(decodeName).join(', ')}`);
  return given;
}

function writeFamily(out: Writer, family: Family, { type, rows, compounds }: HeldFamily): void {
  for (const { values, value } of rows) out.row(family, value, values);
  for (const { values, points, sum, count } of compounds) {
    if (type === 'summary') out.summary(family, { quantiles: points, sum, count }, values);
    else out.histogram(family, { buckets: points, sum, count }, values);
  }
}

/** Declares the families found in files. Those of the composition before are kept, so that a steady set is declared once. */
function createDeclarations(found: OpenFamily): { of(family: HeldFamily, help: string): Family; next(): void } {
  let before = new Map<string, Family>();
  let now = new Map<string, Family>();
  return {
    of({ name, type, labels }, help) {
      const key = JSON.stringify([type, name, help, ...labels]);
      const declared = now.get(key) ?? before.get(key) ?? found.of(type, name, help, labels);
      now.set(key, declared);
      return declared;
    },
    next() {
      before = now;
      now = new Map();
    },
  };
}

const isSame = (a: FileState, b: FileState): boolean =>
  a.mtimeMs === b.mtimeMs && a.sizeBytes === b.sizeBytes && a.inode === b.inode;

/**
 * Reads the files that are others than they were; those that are left are held as they are. What was read before the time was
 * over is not read again, so that even ten thousand files on a busy machine are all there after some scrapes.
 */
function createReader(files: Files) {
  let known = new Map<string, TextFile>();
  const readAll = async (paths: ReadonlySet<string>, now: Map<string, TextFile>, turn: Turn, tell: Tell) => {
    let bytes = 0;
    for (const path of paths) {
      await turn.pause();
      try {
        const before = known.get(path);
        const state = await files.look(path);
        bytes += state.sizeBytes;
        if (bytes > FILE_BYTES_MAX && now.size > 0) {
          bytes -= state.sizeBytes;
          throw new LimitError(`all files together are longer than ${FILE_BYTES_MAX} bytes`);
        }
        now.set(path, before !== undefined && isSame(before, state) ? before : await readTextfile(files, path, turn));
      } catch (error) {
        // Where the time is over this throws, and the file is not to blame.
        await turn.pause();
        tell(path, error);
      }
    }
  };
  return async (paths: ReadonlySet<string>, turn: Turn, tell: Tell): Promise<readonly TextFile[]> => {
    const now = new Map<string, TextFile>();
    try {
      await readAll(paths, now, turn, tell);
      known = now;
    } catch (error) {
      for (const path of known.keys()) if (!paths.has(path)) known.delete(path);
      for (const [path, file] of now) known.set(path, file);
      throw error;
    }
    return [...now.values()];
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
  needs: ({ flags }) => ({ files: flags.directories.filter((directory) => directory !== '') }),
  setup({ flags, isGiven, log, othersFiles, isDeclared }, metrics) {
    const teller = createTeller(log);
    const declarations = createDeclarations(metrics.found);
    const read = createReader(othersFiles);
    void noteEmptyFolders(othersFiles, flags.directories, isGiven('directories') ? log.warn : log.info);
    const isAsked = flags.directories.some((directory) => directory !== '');
    const isOurs = (name: string): boolean => OURS.test(name) || isDeclared(name);
    /** Which families are shown, as which. */
    const compose = (files: readonly TextFile[], tell: Tell): [Family, HeldFamily][] => {
      const helps = helpsOf(files);
      const accepted: [Family, HeldFamily][] = [];
      for (const { path, families } of files) {
        for (const family of families) {
          const help = helps.get(family.name) as string;
          if (isOurs(family.name)) tell(path, new Error(`${family.name} is a name of the exporter's own`));
          else if (family.help === undefined || family.help === help)
            accepted.push([declarations.of(family, help), family]);
          else tell(path, new Error(`${family.name} has another help text in an earlier file`));
        }
      }
      declarations.next();
      return accepted;
    };
    let shown: { files: readonly TextFile[]; accepted: [Family, HeldFamily][]; faults: [string, unknown][] } = {
      files: [],
      accepted: [],
      faults: [],
    };
    const write = async (out: Writer, turn: Turn): Promise<void> => {
      let failed = false;
      const tell: Tell = (path, error) => {
        // The first is what the state shows.
        out.leftOut(failed ? error : new Error(`${decodeName(path)}: ${messageOf(error)}`, { cause: error }));
        failed = true;
        teller.told(path, error);
      };
      const files = await read(await findTextfiles(othersFiles, flags.directories, turn, tell), turn, tell);
      if (files.length !== shown.files.length || files.some((file, i) => file !== shown.files[i])) {
        const faults: [string, unknown][] = [];
        shown = { files, accepted: compose(files, (path, error) => void faults.push([path, error])), faults };
      }
      for (const [path, error] of shown.faults) tell(path, error);
      out.sample(metrics.error, failed ? 1 : 0);
      for (const { path, mtimeMs } of files)
        out.sample(metrics.mtime, Math.floor(mtimeMs / MS_OF_SECOND), decodeName(path));
      for (const [declared, family] of shown.accepted) {
        await turn.pause();
        writeFamily(out, declared, family);
      }
      teller.next();
    };
    return (out, turn) => (isAsked ? write(out, turn) : out.sample(metrics.error, 0));
  },
});
