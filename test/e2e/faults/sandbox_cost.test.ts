// What the sandbox costs, as ratios: the machine's own speed is no part of them.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { loudly } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';

// From sources most of a start is reading them.
const skip = loudly(KEYHOLE.length > 1 && 'the cost of the sandbox: needs dist/keyhole');

const MODES = ['off', 'auto'] as const;
type Mode = (typeof MODES)[number];

const start = (mode: Mode): Promise<Exporter> => startExporter(KEYHOLE, [`--privilege.sandbox=${mode}`]);

/** The time on a CPU of all threads, in milliseconds: the first number of each `/proc/<pid>/task/<tid>/schedstat`. */
function cpuMsOf({ child }: Exporter): number {
  const folder = `/proc/${child.pid}/task`;
  const times = readdirSync(folder).map((tid) =>
    Number(readFileSync(`${folder}/${tid}/schedstat`, 'latin1').split(' ')[0]),
  );
  return times.reduce((sum, each) => sum + each, 0) / 1e6;
}

const MOST_ROUNDS = 15;

/**
 * Turn by turn, so that both see the same machine; what else it does can only add to the least.
 * On a busy machine it takes more rounds until both had a quiet one.
 */
async function least(bound: number, measure: (mode: Mode) => Promise<number>): Promise<Record<Mode, number>> {
  const best = { off: Number.POSITIVE_INFINITY, auto: Number.POSITIVE_INFINITY };
  for (let round = 0; round < MOST_ROUNDS && (round < 3 || best.auto / best.off > bound); round += 1) {
    for (const mode of MODES) best[mode] = Math.min(best[mode], await measure(mode));
  }
  return best;
}

describe('what the sandbox costs', { skip, concurrency: false }, () => {
  test('start to first answer takes at most 1.3 times the CPU', async (t) => {
    const { off, auto } = await least(1.3, async (mode) => {
      const exporter = await start(mode);
      await exporter.scrape();
      // An exec does not set it back: both stages are in it.
      const cpuMs = cpuMsOf(exporter);
      await exporter.stop();
      return cpuMs;
    });
    const found = `${auto.toFixed(0)} ms against ${off.toFixed(0)}: ${(auto / off).toFixed(2)}`;
    t.diagnostic(`CPU of a start: ${found}`);
    assert.ok(auto / off <= 1.3, found);
  });

  test('a scrape takes at most 1.15 times the CPU', async (t) => {
    const SCRAPES = 100;
    const running = { off: await start('off'), auto: await start('auto') };
    try {
      const scrapeAll = async (mode: Mode): Promise<number> => {
        const beforeMs = cpuMsOf(running[mode]);
        for (let i = 0; i < SCRAPES; i += 1) await running[mode].scrape();
        return (cpuMsOf(running[mode]) - beforeMs) / SCRAPES;
      };
      for (const mode of MODES) await scrapeAll(mode);
      const { off, auto } = await least(1.15, scrapeAll);
      const found = `${auto.toFixed(2)} ms against ${off.toFixed(2)}: ${(auto / off).toFixed(2)}`;
      t.diagnostic(`CPU of a scrape: ${found}`);
      assert.ok(auto / off <= 1.15, found);
    } finally {
      for (const mode of MODES) await running[mode].stop();
    }
  });
});
