// Counts what steady scrapes allocate, by collector: run by garbage.test.ts in a process whose young generation is larger than all of it.
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { collectors } from '../../src/collectors/index.ts';
import { type AnyCollector, hostOf, setUp } from '../../src/core/assemble.ts';
import { parseFlags } from '../../src/core/flag.ts';
import { silent } from '../../src/core/log.ts';
import { createRegistry } from '../../src/core/registry.ts';
import { Samples } from '../../src/core/samples.ts';
import { Page } from '../../src/page/page.ts';
import { disk } from '../../src/source/disk.ts';
import { createSource } from '../../src/source/source.ts';
import { struckMachine } from './machine.ts';
import { machineOf } from './scrape.ts';

/** Without netlink, since what stands for the kernel in tests makes garbage itself. */
const ARGV: Readonly<Record<string, readonly string[]>> = {
  arp: ['--no-collector.arp.netlink'],
  netdev: ['--no-collector.netdev.netlink'],
};
// include/uapi/linux/magic.h
const PROC_SUPER_MAGIC = 0x9fa0;
const SYSFS_MAGIC = 0x62656572;
const WARM = 30;
const COUNTED = 20;
const TRIES = 3;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The fixtures as the kernel's own file systems: the kernel reports devices, and some files come with one read. */
const magic = (path: string): number => (path.endsWith('/proc') ? PROC_SUPER_MAGIC : SYSFS_MAGIC);

/** Bytes of the heap that one scrape of these takes. */
async function bytesOf(chosen: readonly AnyCollector[]): Promise<number> {
  const { system } = struckMachine(() => undefined);
  const source = createSource({ disk: { ...disk, magic }, now: () => 0, events: () => 0 });
  const machine = machineOf(source, { ...(system === undefined ? {} : { system }) });
  const ready = chosen.map((each) => {
    const parsed = parseFlags(ARGV[each.name] ?? [], Object.values(each.flags));
    return setUp(each, hostOf(each, { machine, parsed, enabled: chosen }));
  });
  const registry = createRegistry(ready, { timeoutMs: 60_000, log: silent, onBegin: () => source.clock.begin() });
  const page = new Page();
  const meta = new Samples();
  const scrape = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      const work = registry.scrape(page, meta);
      if (work !== undefined) await work;
      page.render();
    }
  };
  await scrape(WARM);
  const counts: number[] = [];
  for (let i = 0; i < TRIES; i += 1) {
    collect();
    const before = process.memoryUsage().heapUsed;
    await scrape(COUNTED);
    counts.push((process.memoryUsage().heapUsed - before) / COUNTED);
  }
  source.close();
  // Code that is thrown away meanwhile, or compiled, is no garbage of scrapes.
  return Math.round(counts.sort((a, b) => a - b)[TRIES >> 1] as number);
}

const chosen = collectors.filter(({ enabled, name }) => enabled && name !== 'textfile');
const byCollector: Record<string, number> = {};
for (const each of chosen) byCollector[each.name] = await bytesOf([each]);
const all = await bytesOf(chosen);
process.stdout.write(JSON.stringify({ none: await bytesOf([]), all, byCollector }));
