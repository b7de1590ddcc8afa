import { join } from 'node:path';
import { FIXTURES } from './scrape.ts';

/** With which flags a collector reads what the fixtures have for it, where that is not by default. */
export const FLAGS: Readonly<Record<string, readonly string[]>> = {
  bcache: ['--collector.bcache.priorityStats'],
  cpu: ['--collector.cpu.info'],
  netdev: ['--collector.netdev.label-ifalias', '--collector.netdev.address-info'],
  runit: [`--collector.runit.servicedir=${join(FIXTURES, 'service')}`],
  stat: ['--collector.stat.softirq'],
  sysctl: ['--collector.sysctl.include=kernel.threads-max', '--collector.sysctl.include=fs.file-nr:total,current,max'],
  textfile: [`--collector.textfile.directory=${join(FIXTURES, 'textfile/*')}`],
};

/** Collectors that ask the machine past their host, so that a test cannot say what they see. */
export const PAST_HOST: Readonly<Record<string, string>> = {
  perf: 'reads counters, which move by themselves',
};

/** Every so many of these, beginning with one that differs from `from` to `from`. */
export function some<T>(all: readonly T[], max: number, from: number): T[] {
  const step = Math.max(1, Math.ceil(all.length / max));
  return all.filter((_, i) => i % step === from % step);
}
