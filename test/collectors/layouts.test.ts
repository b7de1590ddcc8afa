// A scrape lays out what is another, and nothing else: where nothing but numbers moved, they are followed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { FLAGS, PAST_HOST, some } from '../helpers/collected.ts';
import { alteredDisk, recordedDisk, refusal } from '../helpers/disk.ts';
import { struckMachine } from '../helpers/machine.ts';
import { prepared, type Scraped } from '../helpers/scrape.ts';

/** Files whose number is looked at as a word, since it is another only when somebody sets it. */
const SETTINGS: Readonly<Record<string, RegExp>> = {
  cpufreq: /\/cpu\/offline$/,
  diskstats: /\/(udev\/data\/b[0-9:]+|queue\/rotational)$/,
  dmmultipath: /\/dm\/suspended$/,
  drm: /\/device\/uevent$/,
  hwmon: /\/(beep_enable|power1_model_number)$/,
  infiniband: /\/rate$/,
  mdadm: /\/md\/raid_disks$/,
  netclass: /\/speed$/,
  pcidevice: /\/numa_node$/,
};
/** Collectors whose counters never go back, so that a new process may say something else. */
const NEVER_BACK: readonly string[] = ['cpu'];

/** Of the files of a collector, how many are moved one at a time. */
const FILES_MAX = 300;

const seriesOf = ({ text }: Scraped): string => text.replace(/^([^#].*) \S+$/gm, '$1');

/** Other numbers where numbers stand alone: longer ones, and not all of them. */
function moveNumbers(text: string, by: number): string {
  let i = by;
  return text.replace(/(?<![^\s=])\d+(?=\s|$)/g, (number) => {
    i += 1;
    return i % 3 === 0 && text.length > 40 ? number : String(BigInt(number) * 11n + BigInt(by));
  });
}

/** A collector over a disk on which the numbers of one file can be moved, and one file refused. */
function movable(collector: AnyCollector) {
  let moved = { file: '', by: 0 };
  let refused = '';
  const opened = new Set<string>();
  const disk = alteredDisk({
    bytes(path, real) {
      if (path === refused) throw refusal('EINVAL', path);
      return path === moved.file ? Buffer.from(moveNumbers(real.toString('latin1'), moved.by), 'latin1') : real;
    },
  });
  const options = { ...struckMachine(() => undefined), argv: FLAGS[collector.name] ?? [] };
  const recorded = recordedDisk(disk, (path, how) => {
    if (how === 'open') opened.add(path);
  });
  return {
    opened,
    again: prepared(collector, { ...options, disk: recorded }),
    fresh: () => prepared(collector, { ...options, disk })(),
    move: (file: string, by: number): void => {
      moved = { file, by };
    },
    refuse(file: string): void {
      refused = file;
    },
  };
}

for (const collector of collectors) {
  const { name } = collector;
  const skip = PAST_HOST[name] ?? false;
  test(`${name} lays nothing out again where nothing but numbers moved`, { skip }, async () => {
    const { again, fresh, move, opened } = movable(collector);
    const usual = await again();
    for (let i = 0; i < 3; i += 1) assert.equal((await again()).layouts, usual.layouts, 'where nothing moved');
    const laidOut = new Set<string>();
    for (const file of some([...opened].sort(), FILES_MAX, 0)) {
      for (const by of [1, 2]) {
        move('', 0);
        const { layouts: before } = await again();
        move(file, by);
        const expected = await fresh();
        const { layouts, text } = await again();
        if (seriesOf(expected) !== seriesOf(usual) || !expected.success) continue;
        if (!NEVER_BACK.includes(name)) assert.equal(text, expected.text, file);
        if (layouts > before) laidOut.add(file);
      }
    }
    const setting = SETTINGS[name];
    const [settings, others] = [
      [...laidOut].filter((file) => setting?.test(file)),
      [...laidOut].filter((file) => !setting?.test(file)),
    ];
    assert.deepEqual(others, []);
    if (setting !== undefined)
      assert.ok(settings.length > 0, 'none of its settings is laid out: they need no exemption');
  });

  test(`${name} lays nothing out again where a file goes on to give no value`, { skip }, async () => {
    const { again, refuse, opened } = movable(collector);
    await again();
    for (const file of some([...opened].sort(), FILES_MAX, 0)) {
      refuse(file);
      const { layouts } = await again();
      for (let i = 0; i < 2; i += 1) assert.equal((await again()).layouts, layouts, file);
    }
  });
}
