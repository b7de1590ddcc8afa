// What a collector remembers must never show: whatever becomes of the machine between two scrapes, it says what a process says
// that was just started.
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { messageOf, UsageError } from '../../src/core/errors.ts';
import { FLAGS, PAST_HOST, some } from '../helpers/collected.ts';
import { recordedDisk } from '../helpers/disk.ts';
import { type Fault, type Gone, MUTATIONS } from '../helpers/hostile.ts';
import { struckMachine } from '../helpers/machine.ts';
import { prepared, type Scraped, scrape } from '../helpers/scrape.ts';

/** Files of which something is kept on purpose, and which are not struck. */
const KEPT: Readonly<Record<string, RegExp>> = {
  // Counters of a CPU never go back, and it stays in its place as long as it is there.
  cpu: /\/(proc\/stat|topology\/\w+)$/,
  // Read once, when the process starts.
  time: /^\/(usr\/share\/zoneinfo|etc\/localtime)/,
};
/** Collectors whose files cannot be struck: these they open past their host. */
const OPENS_ITSELF: readonly string[] = ['os', 'textfile'];

/** Seeds of faults that strike everything. */
const SEEDS = [1, 2, 3] as const;
/** Of the files of a collector, how many are struck one at a time. */
const FILES_MAX = 24;

/** Which blanks stand between the words of a line that is quoted, and where a message stood, is as it was when it was laid out. */
const plainly = (error: unknown): string | undefined =>
  error === undefined ? undefined : messageOf(error).replace(/\\[trvf]|\\u00..| |at byte \d+/g, '');

const seen = ({ text, success, error }: Scraped) => ({ success, error: plainly(error), text });

/** A collector that lives through faults. `opened`: the files that it has opened so far. */
function lifeOf(collector: AnyCollector) {
  let fault: Fault | undefined;
  let gone: Gone | undefined;
  const opened = new Set<string>();
  const listed = new Set<string>();
  const machine = struckMachine(
    () => fault,
    () => gone,
  );
  const options = { ...machine, argv: FLAGS[collector.name] ?? [] };
  const disk = recordedDisk(machine.disk as NonNullable<typeof machine.disk>, (path, how) => {
    if (how === 'open') opened.add(path);
    if (how === 'list') listed.add(path);
  });
  const again = prepared(collector, { ...options, disk });
  return {
    opened,
    listed,
    again,
    strike: (next: Fault | undefined): void => {
      fault = next;
    },
    take: (next: Gone | undefined): void => {
      gone = next;
    },
    /** What a process says that was just started; `undefined` where it refuses to. */
    async fresh(): Promise<Scraped | undefined> {
      try {
        return await scrape(collector, options);
      } catch (error) {
        if (error instanceof UsageError) return undefined;
        throw error;
      }
    },
  };
}

type Named = readonly [what: string, fault: Fault];

/** Faults of everything, and of one file at a time. */
function faultsFor(files: readonly string[], number: number, kept: RegExp | undefined): Named[] {
  const strikes = (path: string): boolean => kept?.test(path) !== true;
  const all = SEEDS.flatMap((seed) =>
    MUTATIONS.map((mutation): Named => [`all files ${mutation}, seed ${seed}`, { mutation, seed, strikes }]),
  );
  const single = some(files.filter(strikes), FILES_MAX, number).flatMap((file, i): Named[] =>
    [0, 3].map((by) => {
      const mutation = MUTATIONS[(i + number + by) % MUTATIONS.length] as Fault['mutation'];
      return [`${file} ${mutation}`, { mutation, seed: 4 + i, strikes: (path) => path === file }];
    }),
  );
  return [...all, ...single];
}

for (const [number, collector] of collectors.entries()) {
  const { name } = collector;
  const skip = PAST_HOST[name] ?? false;
  test(`${name} says what a new process says, whatever its files were before`, { skip }, async () => {
    const life = lifeOf(collector);
    const usual = seen((await life.fresh()) as Scraped);
    assert.deepEqual(seen(await life.again()), usual, 'at first');
    assert.deepEqual(seen(await life.again()), usual, 'at the second scrape');
    let differing = 0;
    const files = [...life.opened].sort();
    for (const [i, [what, fault]] of faultsFor(files, number, KEPT[name]).entries()) {
      life.strike(fault);
      const fresh = await life.fresh();
      for (const scrape of ['first', 'second']) {
        const lived = seen(await life.again());
        if (fresh !== undefined) assert.deepEqual(lived, seen(fresh), `${what}, ${scrape} scrape`);
        if (lived.text !== usual.text) differing += 1;
      }
      // Now and then one fault comes right after the other.
      if (i % 3 === 2) continue;
      life.strike(undefined);
      assert.deepEqual(seen(await life.again()), usual, `after ${what}`);
    }
    assert.ok(differing > 5 || OPENS_ITSELF.includes(name), `only ${differing} faults showed`);
  });
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;

/** Of the things that a collector lists, how many go one at a time. */
const GONE_MAX = 16;

for (const collector of collectors) {
  const { name } = collector;
  const skip = PAST_HOST[name] ?? false;
  test(`${name} says what a new process says when devices and files go and come back`, { skip }, async () => {
    const life = lifeOf(collector);
    const usual = seen(await life.again());
    const entries = [...life.listed]
      .filter(isFolder)
      .flatMap((folder) => readdirSync(folder, { encoding: 'latin1' }).map((each) => `${folder}/${each}`));
    const files = [...life.opened].filter((path) => KEPT[name]?.test(path) !== true);
    const things = [...some(entries, GONE_MAX, 0), ...some(files, GONE_MAX, 0)];
    for (const [i, gone] of things.entries()) {
      life.take({ gone });
      const fresh = seen((await life.fresh()) as Scraped);
      for (const scrape of ['first', 'second'])
        assert.deepEqual(seen(await life.again()), fresh, `without ${gone}, ${scrape} scrape`);
      if (i % 3 === 2) continue;
      life.take(undefined);
      assert.deepEqual(seen(await life.again()), usual, `with ${gone} again`);
    }
  });
}
