import type { Collect, Turn } from './collector.ts';
import { DeadlineError, messageOf, NoDataError } from './errors.ts';
import type { Logger } from './log.ts';
import { gauge } from './metric.ts';
import { Samples } from './writer.ts';

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
} as const;

/** A collector that is set up. */
export interface Ready {
  readonly name: string;
  readonly collect: Collect;
}

export interface Registry {
  readonly names: readonly string[];
  /** Runs the named collectors (all by default). Never rejects. Scrapes that ask for the same while it is under way share it. */
  scrape(names?: readonly string[]): Promise<readonly Samples[]>;
}

export interface RegistryOptions {
  readonly timeoutMs: number;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly clock?: () => number;
}

interface Run {
  readonly samples: Samples;
  readonly seconds: number;
  readonly error: unknown;
}

/** How long collectors may hold the event loop before others get a turn. */
const SLICE_MS = 10;

export function createRegistry(collectors: readonly Ready[], options: RegistryOptions): Registry {
  const { timeoutMs, clock = () => performance.now() } = options;
  const log = options.log.with({ source: 'registry.ts' });
  const pace = createPace(clock);
  const runners = new Map(collectors.map((each) => [each.name, createRunner(each, { timeoutMs, log, clock, pace })]));
  const underWay = new Map<string, Promise<readonly Samples[]>>();

  const collect = async (names: readonly string[]): Promise<readonly Samples[]> => {
    const meta = new Samples();
    const deadline = createDeadline(timeoutMs);
    const runs: (Run | Promise<Run>)[] = [];
    for (const name of names) {
      await pace();
      const runner = runners.get(name);
      if (runner !== undefined) runs.push(runner(deadline));
    }
    const done = await Promise.all(runs);
    deadline.clear();
    for (const [i, { seconds, error }] of done.entries()) {
      const name = names[i] as string;
      meta.sample(scrapeMetrics.duration, seconds, name);
      meta.sample(scrapeMetrics.success, error === undefined ? 1 : 0, name);
    }
    // First, so that no text file can claim these series.
    return [meta, ...done.map(({ samples }) => samples)];
  };

  return {
    names: [...runners.keys()],
    scrape(asked) {
      const names = [...new Set(asked ?? runners.keys())].filter((name) => runners.has(name)).sort();
      const key = names.join();
      let scrape = underWay.get(key);
      if (scrape === undefined) {
        scrape = collect(names).finally(() => underWay.delete(key));
        underWay.set(key, scrape);
      }
      return scrape;
    },
  };
}

type Pace = () => Promise<void> | undefined;

/** Gives the event loop a turn after every slice of work; costs a clock reading otherwise. */
function createPace(clock: () => number): Pace {
  let sliceEnd = clock() + SLICE_MS;
  let waiting: Promise<void> | undefined;
  return () => {
    if (waiting !== undefined) return waiting;
    if (clock() < sliceEnd) return undefined;
    waiting = new Promise((resolve) => {
      setImmediate(() => {
        waiting = undefined;
        sliceEnd = clock() + SLICE_MS;
        resolve();
      });
    });
    return waiting;
  };
}

interface RunnerParts {
  readonly timeoutMs: number;
  readonly log: Logger;
  readonly clock: () => number;
  readonly pace: Pace;
}

/** Runs one collector: times it, catches what it throws, gives up on it at the deadline, and says what happened once. */
function createRunner({ name, collect }: Ready, parts: RunnerParts): (deadline: Deadline) => Run | Promise<Run> {
  const { log, clock } = parts;
  let running: Promise<Run> | undefined;
  let overdue = false;
  const tell = createTeller(log, name);

  const start = (deadline: Deadline): Run | Promise<Run> => {
    const samples = new Samples();
    const startedAt = clock();
    const finish = (error?: unknown): Run => {
      samples.close();
      const seconds = (clock() - startedAt) / 1000;
      tell(error, seconds);
      return { samples, seconds, error };
    };
    const turn = new RunTurn(parts, startedAt);
    let work: void | Promise<void>;
    try {
      work = collect(samples, turn);
    } catch (error) {
      return finish(error ?? new Error('threw nothing'));
    }
    return work === undefined ? finish() : settle(work, deadline, turn).then(finish);
  };

  /** What the collector threw, or that it is late; `undefined` when it is done. */
  const settle = async (work: Promise<void>, deadline: Deadline, turn: RunTurn): Promise<unknown> => {
    const settled = work.then(
      () => undefined,
      (error: unknown) => error ?? new Error('threw nothing'),
    );
    const error = await Promise.race([settled, deadline.passed()]);
    if (error instanceof DeadlineError) {
      turn.end(error);
      // It may still hang somewhere. Until it returns nobody starts it again and nobody waits for it.
      overdue = true;
      void settled.then(() => {
        overdue = false;
      });
    }
    return error;
  };

  return (deadline) => {
    if (overdue) {
      const error = new DeadlineError('still busy with an earlier scrape');
      tell(error, 0);
      return { samples: new Samples(), seconds: 0, error };
    }
    if (running !== undefined) return running;
    const run = start(deadline);
    if (!(run instanceof Promise)) return run;
    running = run.finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** A class, since one is made for every run of every collector: closures would cost more than many a collector does. */
class RunTurn implements Turn {
  readonly #clock: () => number;
  readonly #pace: Pace;
  readonly #timeoutMs: number;
  readonly #endsAt: number;
  #abort: AbortController | undefined;
  #lateness: DeadlineError | undefined;

  constructor({ clock, pace, timeoutMs }: RunnerParts, startedAt: number) {
    this.#clock = clock;
    this.#pace = pace;
    this.#timeoutMs = timeoutMs;
    this.#endsAt = startedAt + timeoutMs;
  }

  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#lateness !== undefined) this.#abort.abort(this.#lateness);
    return this.#abort.signal;
  }

  leftMs(): number {
    return this.#endsAt - this.#clock();
  }

  pause(): Promise<void> | undefined {
    if (this.leftMs() > 0) return this.#pace();
    throw notDone(this.#timeoutMs);
  }

  end(lateness: DeadlineError): void {
    this.#lateness = lateness;
    this.#abort?.abort(lateness);
  }
}

const notDone = (timeoutMs: number): DeadlineError => new DeadlineError(`not done after ${timeoutMs / 1000} s`);

/** One timer for all collectors of a scrape that are waited for. */
interface Deadline {
  passed(): Promise<DeadlineError>;
  clear(): void;
}

function createDeadline(timeoutMs: number): Deadline {
  let timer: NodeJS.Timeout | undefined;
  let passed: Promise<DeadlineError> | undefined;
  return {
    passed() {
      passed ??= new Promise((resolve) => {
        timer = setTimeout(() => resolve(notDone(timeoutMs)), timeoutMs);
      });
      return passed;
    },
    clear: () => clearTimeout(timer),
  };
}

/** A fault is told when it comes and when it changes, not at every scrape. */
function createTeller(log: Logger, name: string): (error: unknown, seconds: number) => void {
  let before = '';
  return (error, seconds) => {
    if (error === undefined && before === '')
      return log.debug('collector succeeded', { name, duration_seconds: seconds });
    const message = error === undefined ? '' : messageOf(error);
    const fields = { name, duration_seconds: seconds, ...(error === undefined ? {} : { err: message }) };
    if (error === undefined) log.info('collector works again', fields);
    else if (error instanceof NoDataError) log.debug('collector returned no data', fields);
    else if (message === before) log.debug('collector failed again', fields);
    else log.error('collector failed', fields);
    before = error === undefined || error instanceof NoDataError ? '' : message;
  };
}
