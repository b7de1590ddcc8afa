// What a collector says that it reads is what it reads.
import assert from 'node:assert/strict';
import { posix } from 'node:path';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { UsageError } from '../../src/core/errors.ts';
import type { Flag } from '../../src/core/flag.ts';
import type { Netlink } from '../../src/netlink/netlink.ts';
import { FLAGS, PAST_HOST } from '../helpers/collected.ts';
import { type Asked, recordedDisk } from '../helpers/disk.ts';
import { struckMachine } from '../helpers/machine.ts';
import { kernelOf } from '../helpers/netlink.ts';
import { covers, existing, isAbove, isFile } from '../helpers/reads.ts';
import { FIXTURES, scrape } from '../helpers/scrape.ts';

/** Entries that are read only where something else is not there, which the fixtures have. */
const INSTEAD: Readonly<Record<string, readonly string[]>> = {
  btrfs: ['/proc/self/mountinfo'],
  cpu: ['/sys/devices/system/cpu/online'],
  filesystem: ['/proc/self/mountinfo'],
  softnet: ['/sys/devices/system/cpu/online'],
};

const withoutRoot = (path: string): string =>
  posix.normalize(path.startsWith(FIXTURES) ? path.slice(FIXTURES.length - 1) : path).replace(/\/$/, '');

/** The usual flags, and beside them each switch the other way. */
function variantsOf({ name, flags }: AnyCollector): (readonly string[])[] {
  const usual = FLAGS[name] ?? [];
  const switches = Object.values(flags as Readonly<Record<string, Flag>>).filter(({ kind }) => kind === 'bool');
  return [
    usual,
    ...switches.map((each) => [...usual, `--${each.parse(each.fallback) === true ? 'no-' : ''}${each.name}`]),
  ];
}

const EPERM = 1;
const closed = (): Netlink => kernelOf(() => EPERM);

/** Everything that a collector asks its disk for, by path. */
async function askedBy(collector: AnyCollector): Promise<Map<string, Set<Asked>>> {
  const asked = new Map<string, Set<Asked>>();
  const machine = struckMachine(() => undefined);
  const disk = recordedDisk(machine.disk as NonNullable<typeof machine.disk>, (path, how) => {
    const plain = withoutRoot(path);
    asked.set(plain, (asked.get(plain) ?? new Set()).add(how));
  });
  for (const argv of variantsOf(collector)) {
    for (const netlink of [machine.netlink, closed]) {
      try {
        await scrape(collector, { ...machine, ...(netlink === undefined ? {} : { netlink }), disk, argv });
      } catch (error) {
        // Some switches exclude others.
        if (!(error instanceof UsageError)) throw error;
      }
    }
  }
  return asked;
}

/** Whether an entry allows that a path is asked for so: what leads to a file may be listed, followed and looked at. */
const allows = (entry: string, path: string, how: ReadonlySet<Asked>): boolean =>
  covers(entry, path) || (!how.has('open') && isAbove(path, entry));

for (const collector of collectors) {
  const { name, reads } = collector;
  const skip = PAST_HOST[name] ?? false;
  test(`${name} reads what it says`, { skip }, async () => {
    const files = reads.filter(isFile);
    const asked = await askedBy(collector);
    const unsaid = [...asked].filter(([path, how]) => path !== '' && !files.some((entry) => allows(entry, path, how)));
    assert.deepEqual(
      unsaid.map(([path, how]) => `${path} (${[...how].join()})`),
      [],
    );
    const unread = files.filter((entry) => {
      const there = existing(entry, FIXTURES);
      return there.length > 0 && !there.some((path) => asked.has(path));
    });
    assert.deepEqual(unread, INSTEAD[name] ?? []);
  });
}
