// What an answer costs beside the collectors: compressing it, and the errors of files that are not there.
import { openSync } from 'node:fs';
import process from 'node:process';
import { gzipSync } from 'node:zlib';
import { optional } from '../src/core/errors.ts';
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

function absentRatio(): Measured {
  const limit = Error.stackTraceLimit;
  const costAt = (stackTraceLimit: number): number => {
    Error.stackTraceLimit = stackTraceLimit;
    return costUs(2000, () => optional(() => openSync('/sys/class/net/lo/absent', 'r')));
  };
  const [bare, usual] = [costAt(0), costAt(10)];
  Error.stackTraceLimit = limit;
  return { ratio: bare / usual, detail: `${bare.toFixed(1)} us without a stack, ${usual.toFixed(1)} us with one` };
}

export const claims: readonly Claim[] = [
  {
    says: 'Compressing an answer at level 1 takes at most 60% of the CPU time of level 6.',
    atMost: 0.6,
    measure: gzipRatio,
  },
  {
    says: 'A file that is not there costs at most 95% of the CPU time when its error has no stack.',
    atMost: 0.95,
    measure: async () => absentRatio(),
  },
];
