import { type Collect, defineCollector } from '../core/collector.ts';
import { hasErrno, isRefusal, ParseError, REFUSED } from '../core/errors.ts';
import { type Family, gauge } from '../core/metric.ts';
import type { Writer } from '../core/writer.ts';
import { parseTaskStat, type TaskStat } from '../parse/task_stat.ts';

/** Letters of states are ASCII. */
const CODES = 128;

/** A process or thread may end between the listing and the reading. */
const GONE = ['ENOENT', 'ESRCH'] as const;

const isNumber = (name: string): boolean => /^[0-9]+$/.test(name);

/** How many there are in each state, by the code of its letter. */
type States = Int32Array;

function writeStates(out: Writer, family: Family<readonly [string]>, states: States): void {
  for (let code = 0; code < CODES; code += 1)
    if (states[code] !== 0) out.sample(family, states[code], String.fromCharCode(code));
}

/**
 * Reads what may have ended, or be hidden from us: that is `undefined`, and so is what is odd. `end` names the first of the
 * hidden, if any: without them the counts are too low.
 */
function createReader() {
  let hidden: unknown;
  return {
    try<T>(read: () => T, out: Writer): T | undefined {
      try {
        return read();
      } catch (error) {
        if (hasErrno(error, GONE)) return undefined;
        if (hasErrno(error, REFUSED)) hidden ??= error;
        else if (error instanceof ParseError || isRefusal(error)) out.fault(error);
        else throw error;
        return undefined;
      }
    },
    end(out: Writer): void {
      if (hidden !== undefined) out.fault(hidden);
    },
  };
}

export default defineCollector({
  name: 'processes',
  help: 'Exposes how many processes and threads there are, by state, and how many there may be.',
  enabled: false,
  reads: [
    '/proc/<pid>/stat',
    '/proc/<pid>/task/<tid>/stat',
    '/proc/sys/kernel/threads-max',
    '/proc/sys/kernel/pid_max',
  ],
  flags: {},
  metrics: {
    threads: gauge('node_processes_threads', 'Threads of all processes.'),
    maxThreads: gauge('node_processes_max_threads', 'How many threads the kernel allows.'),
    states: gauge('node_processes_state', 'Processes in the state.', 'state'),
    threadStates: gauge('node_processes_threads_state', 'Threads in the state.', 'thread_state'),
    pids: gauge('node_processes_pids', 'How many processes there are.'),
    maxPids: gauge('node_processes_max_processes', 'Process numbers that the kernel gives out.'),
  },
  setup({ proc }, metrics) {
    const states: States = new Int32Array(CODES);
    const threadStates: States = new Int32Array(CODES);
    const add = (counts: States, { state }: TaskStat): void => {
      counts[state] = (counts[state] as number) + 1;
    };
    const count: Collect = async (out, turn) => {
      // Its own: a run that ends early leaves nothing behind for the next.
      const reader = createReader();
      let [pids, threads] = [0, 0];
      states.fill(0);
      threadStates.fill(0);
      const glance = (path: string): TaskStat | undefined => reader.try(() => proc.glance(path, parseTaskStat), out);
      for (const pid of proc.list('')) {
        if (!isNumber(pid)) continue;
        await turn.pause();
        const process = glance(`${pid}/stat`);
        if (process === undefined) continue;
        pids += 1;
        threads += process.threads;
        add(states, process);
        for (const tid of reader.try(() => proc.list(`${pid}/task`), out) ?? []) {
          await turn.pause();
          const thread = tid === pid ? process : isNumber(tid) ? glance(`${pid}/task/${tid}/stat`) : undefined;
          if (thread !== undefined) add(threadStates, thread);
        }
      }
      out.sample(metrics.threads, threads);
      writeStates(out, metrics.states, states);
      writeStates(out, metrics.threadStates, threadStates);
      out.sample(metrics.pids, pids);
      reader.end(out);
    };
    return [
      count,
      proc.lineTable('sys/kernel/threads-max', (line, out) => out.sample(metrics.maxThreads, line.uint(0))),
      proc.lineTable('sys/kernel/pid_max', (line, out) => out.sample(metrics.maxPids, line.uint(0))),
    ];
  },
});
