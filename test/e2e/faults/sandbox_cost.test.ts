// What the sandbox costs, as ratios: the machine's own speed is no part of them.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { loudly } from '../../helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../../helpers/exporter.ts';

// From sources most of a start is reading them.
const skip = loudly(KEYHOLE.length > 1 && 'the cost of the sandbox: needs dist/keyhole');

const MODES = ['off', 'auto'] as const;
type Mode = (typeof MODES)[number];

const start = (mode: Mode): Promise<Exporter> => startExporter(KEYHOLE, [`--privilege.sandbox=${mode}`]);

/** User and system time of all threads, in ticks of 10 ms: the 14th and 15th field of `/proc/<pid>/stat`. */
function ticksOf({ child }: Exporter): number {
  const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

/** Turn by turn, so that both see the same machine; what else it does can only add to the least. */
async function least(runs: number, measure: (mode: Mode) => Promise<number>): Promise<Record<Mode, number>> {
  const best = { off: Number.POSITIVE_INFINITY, auto: Number.POSITIVE_INFINITY };
  for (let i = 0; i < runs; i += 1) for (const mode of MODES) best[mode] = Math.min(best[mode], await measure(mode));
  return best;
}

describe('what the sandbox costs', { skip, concurrency: false }, () => {
  test('start to first answer takes at most 1.3 times the CPU', async (t) => {
    const { off, auto } = await least(5, async (mode) => {
      const exporter = await start(mode);
      await exporter.scrape();
      // An exec does not set it back: both stages are in it.
      const ticks = ticksOf(exporter);
      await exporter.stop();
      return ticks;
    });
    t.diagnostic(`CPU of a start: ${off * 10} ms, ${auto * 10} ms: ${(auto / off).toFixed(2)}`);
    assert.ok(auto / off <= 1.3, `${auto} ticks against ${off}`);
  });

  test('a scrape takes at most 1.15 times the CPU', async (t) => {
    const SCRAPES = 100;
    const running = { off: await start('off'), auto: await start('auto') };
    try {
      const scrapeAll = async (mode: Mode): Promise<number> => {
        const before = ticksOf(running[mode]);
        for (let i = 0; i < SCRAPES; i += 1) await running[mode].scrape();
        return ticksOf(running[mode]) - before;
      };
      for (const mode of MODES) await scrapeAll(mode);
      const { off, auto } = await least(3, scrapeAll);
      const perScrape = (ticks: number): string => `${((ticks * 10) / SCRAPES).toFixed(2)} ms`;
      t.diagnostic(`CPU of a scrape: ${perScrape(off)}, ${perScrape(auto)}: ${(auto / off).toFixed(2)}`);
      assert.ok(auto / off <= 1.15, `${auto} ticks against ${off}`);
    } finally {
      for (const mode of MODES) await running[mode].stop();
    }
  });
});
