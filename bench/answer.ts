// What compressing an answer costs.
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { startExporter } from '../test/helpers/exporter.ts';
import type { Claim, Measured } from './claim.ts';
import { median } from './cpu.ts';

const ROUNDS = 9;

/** Microseconds of CPU that `work` takes, the median of some rounds. */
function costUs(times: number, work: () => void): number {
  const rounds: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage();
    for (let i = 0; i < times; i += 1) work();
    const { user, system } = process.cpuUsage(before);
    rounds.push((user + system) / times);
  }
  return median(rounds);
}

async function gzipRatio(): Promise<Measured> {
  const exporter = await startExporter();
  const text = await exporter.scrape();
  await exporter.stop();
  const [quick, usual] = [1, 6].map((level) => {
    const bytes = gzipSync(text, { level }).length;
    return { bytes, us: costUs(50, () => gzipSync(text, { level })) };
  }) as [{ bytes: number; us: number }, { bytes: number; us: number }];
  const detail = `${quick.us.toFixed(0)} us and ${quick.bytes} bytes, ${usual.us.toFixed(0)} us and ${usual.bytes} bytes`;
  return { ratio: quick.us / usual.us, detail };
}

export const claims: readonly Claim[] = [
  {
    says: 'Compressing an answer at level 1 takes at most 60% of the CPU time of level 6.',
    atMost: 0.6,
    measure: gzipRatio,
  },
];
