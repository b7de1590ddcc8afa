// A steady scrape makes next to no garbage: what it allocates is counted, not timed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';

const SCRIPT = new URL('../helpers/garbage.ts', import.meta.url).pathname;
/** Large enough that nothing is collected while it is counted; and code is compiled when its turn comes, not when there is time. */
const FLAGS = ['--max-semi-space-size=64', '--min-semi-space-size=64', '--single-threaded'];

/** What one collector takes alone: the runtime takes some 300 bytes for each read, and a scrape 1 KiB around it. */
const BYTES_MAX = 10_000;
/** What all default collectors take together, of the fixtures, which have some of everything. */
const ALL_BYTES_MAX = 330_000;
/** Collectors that take more, and how much at most: those with many devices, and those that are not laid out (yet). */
const LARGER: Readonly<Record<string, number>> = {
  bcache: 18_000,
  bcachefs: 17_000,
  btrfs: 25_000,
  cpu: 11_000,
  cpufreq: 19_000,
  edac: 11_000,
  fibrechannel: 20_000,
  filesystem: 15_000,
  hwmon: 46_000,
  mdadm: 17_000,
  netclass: 15_000,
  rapl: 22_000,
  zfs: 14_000,
};

interface Counted {
  /** Of a scrape of nothing. */
  readonly none: number;
  readonly all: number;
  readonly byCollector: Readonly<Record<string, number>>;
}

test('a steady scrape allocates no more than it may', () => {
  // Coverage counts in the heap.
  const { NODE_V8_COVERAGE: _, ...env } = process.env;
  const { none, all, byCollector } = JSON.parse(
    execFileSync(process.execPath, [...FLAGS, SCRIPT], { encoding: 'utf8', env }),
  ) as Counted;
  const over = Object.entries(byCollector).filter(([name, bytes]) => bytes > (LARGER[name] ?? BYTES_MAX));
  assert.deepEqual(over, []);
  assert.ok(none < 2000, `a scrape of nothing: ${none} bytes`);
  assert.ok(all > 0 && all < ALL_BYTES_MAX, `all of them: ${all} bytes`);
});
