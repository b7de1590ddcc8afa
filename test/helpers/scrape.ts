import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { type AnyCollector, hostOf, type Machine, setUp } from '../../src/core/assemble.ts';
import type { Acquired } from '../../src/core/collector.ts';
import { render } from '../../src/core/exposition.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { type KernelFs, openTree } from '../../src/core/kernel_fs.ts';
import { type Logger, silent } from '../../src/core/log.ts';
import { createRegistry, scrapeMetrics } from '../../src/core/registry.ts';
import { Samples } from '../../src/core/writer.ts';

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
  /** Wraps the trees, to make their files look otherwise. */
  readonly wrap?: (tree: KernelFs) => KernelFs;
}

export interface Scraped {
  /** The families, without those about the scrape itself. */
  readonly text: string;
  readonly success: boolean;
  /** What the collector threw, if it did. */
  readonly error: unknown;
}

/** A collector that is set up over a tree; the function scrapes it, again and again if need be. */
export function prepared(collector: AnyCollector, options: ScrapeOptions = {}): () => Promise<Scraped> {
  const { argv = [], root = FIXTURES, rootfs = '/', beside = [], now = 0, log = silent } = options;
  const { acquired, wrap = (tree) => tree } = options;
  const machine: Machine = {
    proc: wrap(openTree(join(root, 'proc'))),
    sys: wrap(openTree(join(root, 'sys'))),
    udev: wrap(openTree(join(root, 'run/udev/data'))),
    rootfs,
    log,
    now: () => now,
  };
  const parsed = parseFlags(argv, Object.values(collector.flags));
  const parts = { machine, parsed, enabled: [collector, ...beside], ...(acquired === undefined ? {} : { acquired }) };
  const ready = setUp(collector, hostOf(collector, parts));
  let error: unknown;
  const registry = createRegistry(
    [
      {
        name: ready.name,
        async collect(out, turn) {
          try {
            await ready.collect(out, turn);
            error = undefined;
          } catch (thrown) {
            error = thrown;
            throw thrown;
          }
        },
      },
    ],
    { timeoutMs: 5000, log },
  );
  return async () => {
    const written = await registry.scrape();
    const own = written.filter((samples) => !samples.columns.has(scrapeMetrics.success));
    // Paths in labels hold the root, which is another on every machine.
    const text = render(own).text.replaceAll(root.endsWith('/') ? root : `${root}/`, '<root>/');
    return { text, success: error === undefined, error };
  };
}

/** Scrapes a collector once. */
export const scrape = (collector: AnyCollector, options?: ScrapeOptions): Promise<Scraped> =>
  prepared(collector, options)();

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

/** What a test writes itself, as text. */
export function written(write: (out: Samples) => void): string {
  const samples = new Samples();
  write(samples);
  return render([samples]).text;
}
