import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AnyCollector, hostOf, type Machine, setUp } from '../../src/core/assemble.ts';
import type { Acquired } from '../../src/core/collector.ts';
import type { Daemons } from '../../src/core/daemons.ts';
import { parseFlags } from '../../src/core/flag.ts';
import type { OthersFiles, Tree } from '../../src/core/host.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { loadPatterns } from '../../src/core/pattern.ts';
import { createRegistry } from '../../src/core/registry.ts';
import { Samples } from '../../src/core/samples.ts';
import type { System } from '../../src/core/system.ts';
import { bytesOf } from '../../src/core/utf8.ts';
import { openDaemons } from '../../src/daemon/daemons.ts';
import type { Netlink } from '../../src/netlink/netlink.ts';
import { openNetwork } from '../../src/netlink/network.ts';
import { Page } from '../../src/page/page.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { type Disk, disk as systemDisk } from '../../src/source/disk.ts';
import { othersFiles } from '../../src/source/others_files.ts';
import { createSource, type Source } from '../../src/source/source.ts';
import { openSystem } from '../../src/syscall/system.ts';

await loadPatterns();

export const FIXTURES = new URL('../fixtures/', import.meta.url).pathname;
const GOLDEN = new URL('../golden/', import.meta.url).pathname;

export interface ScrapeOptions {
  /** Flags, as on the command line. */
  readonly argv?: readonly string[];
  /** A folder with `proc`, `sys` and so on in it; the project's fixtures by default. */
  readonly root?: string;
  /** `--path.rootfs` */
  readonly rootfs?: string;
  /** Other collectors that count as enabled. */
  readonly beside?: readonly AnyCollector[];
  /** Milliseconds since 1970. */
  readonly now?: number;
  readonly log?: Logger;
  readonly acquired?: Acquired;
  /** What the system answers; see `alteredDisk`. */
  readonly disk?: Disk;
  /** What netlink answers, by protocol; this machine's by default. */
  readonly netlink?: (protocol: number) => Netlink;
  /** What system calls answer, where it is not what this machine says. */
  readonly system?: Partial<System>;
  /** What other programs answer, where it is not what this machine's do. */
  readonly daemons?: Partial<Daemons>;
  /** Files of others, where they are not those of the disk. */
  readonly othersFiles?: OthersFiles;
  /** `--collector.timeout` */
  readonly timeoutMs?: number;
  /** Called once for each path that is refused. */
  readonly onRefused?: (path: string) => void;
  /** Wraps the trees, to make their files look otherwise. */
  readonly wrap?: (tree: Tree) => Tree;
}

export interface Scraped {
  /** The families, without those about the scrape itself. */
  readonly text: string;
  readonly success: boolean;
  /** Why it did not succeed, if so: what it threw, or its first fault. */
  readonly error: unknown;
}

/** The same of a collector that was scraped before. */
export interface Lived extends Scraped {
  /** Lines, attributes and devices left out in all scrapes so far. */
  readonly faultsTotal: number;
  /** How often something was laid out in all scrapes so far. */
  readonly layouts: number;
}

/** The machine of a test: trees below `root`, over a source of its own. */
export function machineOf(source: Source, options: ScrapeOptions = {}): Machine {
  const { root = FIXTURES, rootfs = '/', now = 0, log = silent, wrap = (tree) => tree } = options;
  const open = (path: string): Tree => wrap(source.openTree(path));
  return {
    othersFiles: options.othersFiles ?? othersFiles,
    proc: open(join(root, 'proc')),
    sys: open(join(root, 'sys')),
    udev: open(join(root, 'run/udev/data')),
    root: open(rootfs),
    rootfs,
    own: open('/proc'),
    openTree: open,
    network: openNetwork(source.clock, options.netlink),
    system: { ...openSystem(), now: () => now, ...options.system },
    daemons: { ...openDaemons(), ...options.daemons },
    log,
  };
}

/** A collector that is set up over a tree; the function scrapes it, again and again if need be. */
export function prepared(collector: AnyCollector, options: ScrapeOptions = {}): () => Promise<Lived> {
  const {
    argv = [],
    root = FIXTURES,
    beside = [],
    log = silent,
    acquired,
    disk = systemDisk,
    onRefused = () => {},
  } = options;
  // Every scrape is a minute after the one before: nothing may be older.
  let time = 0;
  const source = createSource({ disk, now: () => time, onRefused });
  const machine = machineOf(source, options);
  const parsed = parseFlags(argv, Object.values(collector.flags));
  const parts = { machine, parsed, enabled: [collector, ...beside], ...(acquired === undefined ? {} : { acquired }) };
  const ready = setUp(collector, hostOf(collector, parts));
  const onBegin = (): void => {
    time += LOOK_MS;
    source.clock.begin();
  };
  const registry = createRegistry([ready], { timeoutMs: options.timeoutMs ?? 5000, log, onBegin });
  const page = new Page();
  const taker = {
    take: (part: number, samples: Samples) => {
      if (part > 0) page.take(part, samples);
    },
    clear: (part: number) => page.clear(part),
  };
  const meta = new Samples();
  return async () => {
    await registry.scrape(taker, meta);
    const [report] = registry.states();
    // Paths in labels hold the root, which is another on every machine.
    const text = page
      .render()
      .toString()
      .replaceAll(root.endsWith('/') ? root : `${root}/`, '<root>/');
    const { cause: error, faults: faultsTotal = 0 } = report ?? {};
    return { text, success: report?.state === 'ok', error, faultsTotal, layouts: source.clock.layouts + page.layouts };
  };
}

/** Scrapes a collector once. */
export const scrape = (collector: AnyCollector, options?: ScrapeOptions): Promise<Scraped> =>
  prepared(collector, options)().then(({ text, success, error }) => ({ text, success, error }));

/**
 * Scrapes the fixtures and holds the text against `test/golden/<name>.txt` (`npm test -- --test-update-snapshots` writes it).
 * A collector that fails fails the test.
 */
export async function golden(
  t: TestContext,
  collector: AnyCollector,
  options: ScrapeOptions = {},
  name = collector.name,
) {
  const { text, error } = await scrape(collector, options);
  if (error !== undefined) throw error;
  t.assert.fileSnapshot(text, join(GOLDEN, `${name}.txt`), { serializers: [String] });
}

/** A folder with these files (paths such as `proc/stat` or `sys/class/net/eth0/mtu`) that goes away with the test. */
export function tree(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'keyhole-tree-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** The same below a folder of this name, which is text, where paths and contents hold one character per byte. */
export function bytesTree(t: TestContext, files: Readonly<Record<string, string>>, name = '.'): string {
  const root = join(tree(t, {}), name);
  for (const [path, text] of Object.entries(files)) {
    const whole = `${bytesOf(root)}/${path}`;
    mkdirSync(Buffer.from(dirname(whole), 'latin1'), { recursive: true });
    writeFileSync(Buffer.from(whole, 'latin1'), text, 'latin1');
  }
  return root;
}

/** What a test writes itself, as text. */
export function written(write: (out: Samples) => void): string {
  const samples = new Samples();
  write(samples);
  samples.close();
  const page = new Page();
  page.take(0, samples);
  return page.render().toString();
}
