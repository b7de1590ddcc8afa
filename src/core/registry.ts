import type { CollectorState } from './collector_state.ts';
import { messageOf } from './errors.ts';
import type { Logger } from './log.ts';
import { counter, gauge } from './metric.ts';
import { createRunner, type Ready, type Runner } from './runner.ts';
import type { Samples } from './samples.ts';
import { createDeadline, createPace, type Pace } from './turn.ts';

export type { Ready } from './runner.ts';

export const scrapeMetrics = {
  duration: gauge(
    'node_scrape_collector_duration_seconds',
    'How long the collector ran during this scrape.',
    'collector',
  ),
  success: gauge(
    'node_scrape_collector_success',
    'Whether the collector gave its metrics (1), or failed or found nothing of its kind (0).',
    'collector',
  ),
  faults: counter(
    'keyhole_collector_faults_total',
    'Lines, attributes, devices and text files that the collector left out, since they could not be read.',
    'collector',
  ),
} as const;

/** Shows what collectors wrote. Earlier parts come first where two write the same series. */
export interface Taker {
  take(part: number, samples: Samples): void;
  clear(part: number): void;
}

export interface Registry {
  readonly names: readonly string[];
  /** How many parts a scrape may have: part 0 is about the collectors' runs, each collector has its own. */
  readonly partCount: number;
  /**
   * Runs the named collectors (all by default), each of which is handed to `taker` as soon as it has run. `meta` takes what is
   * about the runs. A promise only where something has to be waited for. Never throws, never rejects.
   */
  scrape(taker: Taker, meta: Samples, names?: readonly string[]): void | Promise<void>;
  /** How the last run of each collector went, in the order of their names. */
  states(): CollectorState[];
}

export interface RegistryOptions {
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly clock?: () => number;
  /** Called when a scrape begins. */
  readonly onBegin?: () => void;
  /** Called when a collector begins or goes on, with the number of its part. */
  readonly onRun?: (part: number) => void;
}

/** In alphabetical order, and what comes from others last. */
const inOrder = (collectors: readonly Ready[]): Ready[] =>
  [...collectors].sort(
    (a, b) => Number(a.isForeign ?? false) - Number(b.isForeign ?? false) || (a.name < b.name ? -1 : 1),
  );

export function createRegistry(collectors: readonly Ready[], options: RegistryOptions): Registry {
  const { timeoutMs, clock = () => performance.now(), onBegin = () => {}, onRun = () => {} } = options;
  const log = options.log.with({ source: 'registry.ts' });
  const pace = createPace(clock);
  const all = inOrder(collectors).map((each, i): Run => {
    const part = i + 1;
    return { part, runner: createRunner(each, { timeoutMs, log, clock, pace, onRun: () => onRun(part) }) };
  });
  const chosen = (names: readonly string[] | undefined): readonly Run[] =>
    names === undefined ? all : all.filter(({ runner }) => names.includes(runner.name));
  return {
    names: collectors.map(({ name }) => name),
    partCount: all.length + 1,
    scrape(taker, meta, names) {
      onBegin();
      pace.begin();
      return scrape({ taker, meta, runs: chosen(names), pace, timeoutMs });
    },
    states: () => all.map(({ runner }) => stateOf(runner)).sort((a, b) => (a.name < b.name ? -1 : 1)),
  };
}

function stateOf({ name, state, error, seconds, samples, faultsTotal }: Runner): CollectorState {
  const series = samples.blocks.slice(0, samples.blockCount).reduce((sum, { count }) => sum + count, 0);
  const known = { name, state, durationSeconds: seconds, series, faults: faultsTotal };
  const { remarkText: remark, lost } = samples;
  const cause = error ?? lost;
  const about = remark === undefined ? known : { ...known, remark };
  return cause === undefined ? about : { ...about, error: messageOf(cause), cause };
}

/** A collector that is asked for, and the part of the page that is its own. */
interface Run {
  readonly runner: Runner;
  readonly part: number;
}

interface Scrape {
  readonly taker: Taker;
  readonly meta: Samples;
  readonly runs: readonly Run[];
  readonly pace: Pace;
  readonly timeoutMs: number;
}

function scrape(options: Scrape): void | Promise<void> {
  const { taker, runs, pace, timeoutMs } = options;
  const deadline = createDeadline(timeoutMs);
  const pending: Promise<void>[] = [];
  const hand = ({ runner, part }: Run): void => {
    if (runner.isLate) taker.clear(part);
    else taker.take(part, runner.samples);
  };
  /** Starts the runs from one on; a promise where the event loop needs a turn in between. */
  const start = (first: number): void | Promise<void> => {
    for (let i = first; i < runs.length; i += 1) {
      // After a rest at least one runs, however slow the machine.
      const wait = i === first ? undefined : pace();
      if (wait !== undefined) return wait.then(() => start(i));
      const run = runs[i] as Run;
      const work = run.runner.run(deadline);
      if (work === undefined) hand(run);
      else pending.push(work.then(() => hand(run)));
    }
    return undefined;
  };
  const started = start(0);
  if (started === undefined && pending.length === 0) return conclude(options);
  return (async () => {
    await started;
    await Promise.all(pending);
    deadline.clear();
    conclude(options);
  })();
}

function conclude({ taker, meta, runs }: Scrape): void {
  meta.begin();
  for (const { runner } of runs) meta.sample(scrapeMetrics.duration, runner.seconds, runner.name);
  for (const { runner } of runs) meta.sample(scrapeMetrics.success, runner.error === undefined ? 1 : 0, runner.name);
  for (const { runner } of runs) meta.sample(scrapeMetrics.faults, runner.faultsTotal, runner.name);
  meta.close();
  taker.take(0, meta);
}
