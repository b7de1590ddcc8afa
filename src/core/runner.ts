import type { CollectorState } from './collector_state.ts';
import { DeadlineError, errnoOf, messageOf, NoDataError } from './errors.ts';
import type { Collect } from './host.ts';
import type { LogFields, Logger } from './log.ts';
import { NotYet } from './not_yet.ts';
import { Samples } from './samples.ts';
import { createTurn, type Deadline, notDone, type Pace, type RunTurn } from './turn.ts';
import { secondsOf } from './units.ts';

/** A collector that is set up. */
export interface Ready {
  readonly name: string;
  /** One after the other; one that throws does not silence the others. */
  readonly parts: readonly Collect[];
  /** What it writes comes from others: it is shown where nobody else writes the same series. */
  readonly isForeign?: boolean;
}

/** Runs one collector: times it, catches what it throws, gives up on it at the deadline, and logs what happened once. */
export interface Runner {
  readonly name: string;
  readonly isForeign: boolean;
  /** What it wrote in the run that ended last. */
  readonly samples: Samples;
  /** How long that took; 0 where it was not run, since it is still busy with an earlier one. */
  readonly seconds: number;
  /** Why it did not succeed. */
  readonly error: unknown;
  /** Whether it did not end in time: what it wrote is not to be shown. */
  readonly isLate: boolean;
  readonly state: CollectorState['state'];
  /** Lines, attributes and devices left out so far. */
  readonly faultsTotal: number;
  /** A promise only where it has to be waited for. Whoever asks while it runs waits for the same run. */
  run(deadline: Deadline): void | Promise<void>;
}

export interface RunnerParts {
  readonly timeoutMs: number;
  readonly log: Logger;
  readonly clock: () => number;
  readonly pace: Pace;
  /** Called when the collector begins or goes on. */
  readonly onRun?: () => void;
}

/** That one part found nothing of its kind does not hide what another ran into. */
const whyOf = (faults: readonly unknown[]): unknown =>
  faults.find((fault) => !(fault instanceof NoDataError)) ?? faults[0];

const thrownOf = (error: unknown): unknown => error ?? new Error('threw nothing');

export function createRunner({ name, parts, isForeign = false }: Ready, options: RunnerParts): Runner {
  const { log, clock, pace, timeoutMs, onRun = () => {} } = options;
  const samples = new Samples((what) => log.info('passed over what is unknown', { name, what }));
  const turn = createTurn(timeoutMs, clock, pace);
  const report = createReporter(log, name);
  const runFrom = createCourse({ parts, samples, turn, timeoutMs, onRun });
  let running: Promise<void> | undefined;
  let isOverdue = false;
  let startedAt = 0;
  const last = {
    seconds: 0,
    error: undefined as unknown,
    isLate: false,
    state: 'never_run' as CollectorState['state'],
    faultsTotal: 0,
  };

  const conclude = (error: unknown, seconds: number, faults: readonly unknown[] = [error]): void => {
    last.seconds = seconds;
    last.error = error;
    last.state = error === undefined ? 'ok' : error instanceof NoDataError ? 'no_data' : 'failed';
    report(error, faults, seconds);
  };
  const finish = (lateness?: unknown): void => {
    samples.close();
    last.isLate = lateness !== undefined;
    last.faultsTotal += samples.faultCount;
    const faults = lateness === undefined ? samples.faults : [lateness];
    conclude(lateness ?? whyOf(faults), secondsOf(clock() - startedAt), faults);
  };

  const wait = async (work: Promise<void>, deadline: Deadline): Promise<void> => {
    const lateness = await Promise.race([work, deadline.passed()]);
    if (lateness instanceof DeadlineError) {
      turn.end(lateness);
      // It may still hang somewhere. Until it returns nobody starts it again and nobody waits for it.
      isOverdue = true;
      void work.then(() => {
        isOverdue = false;
      });
    }
    finish(lateness ?? undefined);
  };

  return {
    name,
    isForeign,
    samples,
    get seconds() {
      return last.seconds;
    },
    get error() {
      return last.error;
    },
    get isLate() {
      return last.isLate;
    },
    get state() {
      return last.state;
    },
    get faultsTotal() {
      return last.faultsTotal;
    },
    run(deadline) {
      if (isOverdue) return conclude(new DeadlineError('still busy with an earlier scrape'), 0);
      if (running !== undefined) return running;
      samples.begin();
      startedAt = clock();
      turn.begin(startedAt);
      const work = runFrom(0);
      if (work === undefined) return finish();
      running = wait(work, deadline).finally(() => {
        running = undefined;
      });
      return running;
    },
  };
}

interface Course {
  readonly parts: readonly Collect[];
  readonly samples: Samples;
  readonly turn: RunTurn;
  readonly timeoutMs: number;
  readonly onRun: () => void;
}

/** Runs the parts from one on; a promise as soon as one has to be waited for. */
function createCourse({ parts, samples, turn, timeoutMs, onRun }: Course): (first: number) => void | Promise<void> {
  const passOver = (error: unknown, part: number): void | Promise<void> => {
    samples.fault(thrownOf(error));
    return runFrom(part + 1);
  };

  /** Runs a part again, once what it asked for has answered or is given up. */
  const again = async (error: NotYet, part: number): Promise<void> => {
    samples.takeBack();
    const leftMs = turn.leftMs();
    if (leftMs <= 0) {
      error.giveUp();
      return passOver(notDone(timeoutMs), part);
    }
    await answerWithin(error, leftMs * OF_TIME_LEFT);
    return runFrom(part);
  };

  const runFrom = (first: number): void | Promise<void> => {
    onRun();
    for (let i = first; i < parts.length; i += 1) {
      samples.mark();
      try {
        const work = (parts[i] as Collect)(samples, turn);
        if (work !== undefined)
          return work.then(
            () => runFrom(i + 1),
            (error: unknown) => (error instanceof NotYet ? again(error, i) : passOver(error, i)),
          );
      } catch (error) {
        if (error instanceof NotYet) return again(error, i);
        samples.fault(thrownOf(error));
      }
    }
    return undefined;
  };
  return runFrom;
}

/** What is left is for what has answered: the rest of the collector is shown. */
const OF_TIME_LEFT = 0.9;

async function answerWithin({ answered, giveUp }: NotYet, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      giveUp();
      resolve();
    }, ms);
  });
  await Promise.race([answered, late]);
  clearTimeout(timer);
}

const SAID_MAX = 64;

/** What stands for a fault, whatever its counters count: a number by itself is one. Names hold digits too. */
const kindOf = (message: string): string => message.replace(/(?<![\w.:/-])[-+]?\d[\d.]*(?![\w:/])/g, '0');

/** Every fault is logged when it comes, and not again until the collector has succeeded. */
function createReporter(
  log: Logger,
  name: string,
): (error: unknown, faults: readonly unknown[], seconds: number) => void {
  const said = new Set<string>();
  let hasFailed = false;
  const isNews = (message: string): boolean => {
    const kind = kindOf(message);
    if (said.has(kind) || said.size >= SAID_MAX) return false;
    said.add(kind);
    return true;
  };
  const succeeded = (fields: LogFields): void => {
    if (hasFailed) log.info('collector works again', fields);
    else log.debug('collector succeeded', fields);
    hasFailed = false;
    said.clear();
  };
  return (error, faults, seconds) => {
    // The common case makes nothing.
    if (error === undefined && !hasFailed && !log.isDebug) return;
    const fields = { name, duration_seconds: seconds };
    if (error === undefined) return succeeded(fields);
    let isFailure = false;
    for (const fault of faults) {
      const failed = { ...fields, code: errnoOf(fault), err: messageOf(fault) };
      if (fault instanceof NoDataError) {
        log.debug('collector returned no data', failed);
        continue;
      }
      isFailure = true;
      if (isNews(failed.err)) log.error('collector failed', failed);
      else log.debug('collector failed again', failed);
    }
    hasFailed = isFailure;
    if (!isFailure) said.clear();
  };
}
