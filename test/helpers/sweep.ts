import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { messageOf } from '../../src/core/errors.ts';
import type { OthersFiles } from '../../src/core/host.ts';
import type { Disk } from '../../src/source/disk.ts';
import { othersFiles } from '../../src/source/others_files.ts';
import { FLAGS } from './collected.ts';
import { recordedDisk } from './disk.ts';
import { struckMachine } from './machine.ts';
import { samplesIn } from './odd.ts';
import { FIXTURES, type Lived, prepared, type ScrapeOptions } from './scrape.ts';
import { type Strike, struckDisk } from './struck_disk.ts';

/** Flags with which collectors read files that they do not read by default. */
export const BY_FILES: Readonly<Record<string, readonly string[]>> = {
  arp: ['--no-collector.arp.netlink'],
  netdev: ['--no-collector.netdev.netlink'],
};

/** What the sweep sees of a scrape. */
export interface Seen {
  readonly samples: ReadonlySet<string>;
  readonly success: boolean;
  /** What was left out. */
  readonly faults: number;
  /** Why it did not succeed. */
  readonly why: string;
  /** Paths of which the log has said that they are refused: once for each. */
  readonly refused: ReadonlySet<string>;
}

/** A label without text is none. */
const sampleOf = (line: string): string => line.replace(/(?<=[{,])[a-z_]+="",?/g, '').replace(',}', '}');
export const seriesOf = (sample: string): string => sample.slice(0, sample.lastIndexOf(' '));

/** The samples of one that the other has not. */
export const without = (one: ReadonlySet<string>, ...others: readonly ReadonlySet<string>[]): string[] =>
  [...one].filter((sample) => !others.some((other) => other.has(sample)));

/** Files of others as the disk has them; each look sees another time. */
function othersOf(disk: Disk): OthersFiles {
  let mtimeMs = 0;
  const look: OthersFiles['look'] = async (path) => {
    if (!disk.isThere(path)) disk.readWhole(path);
    mtimeMs += 1;
    return { mtimeMs, sizeBytes: 1, inode: 1 };
  };
  return {
    glob: othersFiles.glob,
    list: async (folder) => disk.list(folder).map((name) => posix.join(folder, name)),
    look,
    read: async (path) => ({ bytes: disk.readWhole(path), ...(await look(path)) }),
  };
}

/** Collectors that keep something on purpose: each strike meets a new process. */
const KEPT: readonly string[] = ['cpu', 'time'];

/** A collector that is scraped with at most one thing struck. */
export function sweepOf(collector: AnyCollector, options: ScrapeOptions = {}) {
  const argv = [...(FLAGS[collector.name] ?? []), ...(BY_FILES[collector.name] ?? [])];
  const [opened, listed] = [new Set<string>(), new Set<string>()];
  let strike: Strike | undefined;
  const refused = new Set<string>();
  const struck = struckDisk(() => strike);
  const disk = recordedDisk(struck, (path, how) => {
    if (strike !== undefined || !path.startsWith(FIXTURES)) return;
    if (how === 'open') opened.add(path);
    if (how === 'list') listed.add(path);
  });
  const start = (): (() => Promise<Lived>) =>
    prepared(collector, {
      ...struckMachine(() => undefined),
      rootfs: collector.name === 'os' ? FIXTURES.slice(0, -1) : '/',
      argv,
      disk,
      othersFiles: othersOf(disk),
      onRefused: (path) => refused.add(path),
      ...options,
    });
  const seenBy = async (again: () => Promise<Lived>, before: number): Promise<Seen & { readonly total: number }> => {
    const { text, success, error, faultsTotal } = await again();
    const why = error === undefined ? '' : messageOf(error);
    const samples = new Set(samplesIn(text).map(sampleOf));
    return { samples, success, faults: faultsTotal - before, why, refused, total: faultsTotal };
  };
  let lived: (() => Promise<Lived>) | undefined;
  let faultsBefore = 0;
  const isKept = KEPT.includes(collector.name);
  return {
    /** Files that were opened, and folders that were listed, with nothing struck. */
    opened,
    listed,
    /** Scraped by a process that was just started, with this struck at its start already. */
    async fresh(next?: Strike): Promise<Seen> {
      strike = next;
      return seenBy(start(), 0);
    },
    /** Scraped by a process that lives, and saw what was struck before. */
    async again(next?: Strike): Promise<Seen> {
      strike = next;
      if (lived === undefined || isKept) {
        strike = undefined;
        faultsBefore = 0;
        lived = start();
        strike = next;
      }
      const seen = await seenBy(lived, faultsBefore);
      faultsBefore = seen.total;
      return seen;
    },
  };
}

/** What is in a file, one character for each byte; `undefined` where it is not there. */
export function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Why something is as it is although the sweep would have it otherwise, by what it is about. */
export type Exceptions = readonly (readonly [what: RegExp, why: string])[];

/** Findings that no exception speaks of. Those that speak of none are to be taken out: they are answered too. */
export function judge(findings: readonly string[], exceptions: Exceptions): string[] {
  const unused = exceptions.filter(([what]) => !findings.some((finding) => what.test(finding)));
  return [
    ...findings.filter((finding) => !exceptions.some(([what]) => what.test(finding))),
    ...unused.map(([what]) => `no such thing: ${what}`),
  ];
}

export const shortOf = (path: string): string => path.slice(FIXTURES.length);

/** Where what is refused shows in a number, by collector; findings read `<path> <errno>: <fault>`. */
export const OF_REFUSED: Readonly<Record<string, Exceptions>> = {
  pcidevice: [[/_link_(speed|width) .* made up: .* -1$/, '-1 says that it is not known']],
  processes: [[/ made up: /, 'it is one less, and success is 0']],
  textfile: [
    [/ made up: node_textfile_scrape_error 1/, 'it says that a file was not read'],
    [/ silently$/, 'node_textfile_scrape_error says so'],
  ],
};
