import type { Turn } from './collector.ts';
import type { CollectorState, CollectorStates } from './collector_state.ts';
import { messageOf, NoDataError } from './errors.ts';
import { createRegistry, type Ready, type Registry, type RegistryOptions } from './registry.ts';
import { Samples, type Writer } from './writer.ts';

const seriesIn = (out: Writer): number =>
  out instanceof Samples ? out.columns.values().reduce((sum, { count }) => sum + count, 0) : 0;

interface Watched {
  readonly ready: Ready;
  state(): CollectorState;
}

/** A collector that remembers its last run: the numbers at once, the words when somebody asks. */
function watch({ name, collect }: Ready, { timeoutMs, clock = () => performance.now() }: RegistryOptions): Watched {
  let out: Writer | undefined;
  let turn: Turn | undefined;
  let startedAt = 0;
  let endedAt: number | undefined;
  let error: unknown;
  const end = (fault?: unknown): void => {
    endedAt = clock();
    error = fault;
  };
  const state = (): CollectorState => {
    if (out === undefined) return { name, state: 'never_run', durationSeconds: 0, series: 0, faults: 0 };
    const isLate = endedAt === undefined && (turn?.leftMs() ?? 0) <= 0;
    const fault = isLate ? new Error(`not done after ${timeoutMs / 1000} s`) : error;
    const ran = { name, durationSeconds: ((endedAt ?? clock()) - startedAt) / 1000, series: seriesIn(out) };
    if (fault === undefined) return { ...ran, state: 'ok', faults: 0 };
    return fault instanceof NoDataError
      ? { ...ran, state: 'no_data', error: messageOf(fault), faults: 0 }
      : { ...ran, state: 'failed', error: messageOf(fault), faults: 1 };
  };
  return {
    state,
    ready: {
      name,
      collect(into, current) {
        [out, turn, startedAt, endedAt] = [into, current, clock(), undefined];
        try {
          const work = collect(into, current);
          if (work === undefined) return end();
          return work.then(
            () => end(),
            (fault: unknown) => {
              end(fault);
              throw fault;
            },
          );
        } catch (fault) {
          end(fault);
          throw fault;
        }
      },
    },
  };
}

/** A registry that knows how the last run of each collector went. */
export function createWatchedRegistry(
  collectors: readonly Ready[],
  options: RegistryOptions,
): Registry & CollectorStates {
  const watched = collectors.map((each) => watch(each, options));
  const registry = createRegistry(
    watched.map(({ ready }) => ready),
    options,
  );
  return { ...registry, states: () => watched.map(({ state }) => state()) };
}
