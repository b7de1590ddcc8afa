import { defineCollector, type Turn } from '../core/collector.ts';
import { optional, ParseError, parsed } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';

export interface TaskStat {
  /** One letter: `R` running, `S` sleeping and so on. */
  readonly state: string;
  readonly threads: number;
}

/** Parses `/proc/<pid>/stat`. The name in parentheses may hold anything. https://docs.kernel.org/filesystems/proc.html */
export function parseTaskStat(text: string): TaskStat {
  const columns = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const state = columns[0] ?? '';
  const threads = uint(columns[17]);
  if (!text.includes(')') || !/^[A-Za-z]$/.test(state) || threads === undefined)
    throw new ParseError('<pid>/stat', text);
  return { state, threads };
}

/** A process or thread may end between the listing and the reading. */
const GONE = ['ENOENT', 'ESRCH'] as const;

const isNumber = (name: string): boolean => /^[0-9]+$/.test(name);

const add = (counts: Map<string, number>, state: string): void => {
  counts.set(state, (counts.get(state) ?? 0) + 1);
};

interface Counts {
  readonly pids: number;
  readonly threads: number;
  readonly states: ReadonlyMap<string, number>;
  readonly threadStates: ReadonlyMap<string, number>;
}

async function count(proc: Tree, turn: Turn): Promise<Counts> {
  let pids = 0;
  let threads = 0;
  const states = new Map<string, number>();
  const threadStates = new Map<string, number>();
  const read = (path: string): TaskStat | undefined => {
    const text = optional(() => proc.readOnce(`${path}/stat`), GONE);
    return text === undefined ? undefined : parseTaskStat(text);
  };
  for (const pid of proc.list('').filter(isNumber)) {
    await turn.pause();
    const process = read(pid);
    if (process === undefined) continue;
    pids += 1;
    threads += process.threads;
    add(states, process.state);
    for (const tid of (optional(() => proc.list(`${pid}/task`), GONE) ?? []).filter(isNumber)) {
      await turn.pause();
      const thread = tid === pid ? process : read(`${pid}/task/${tid}`);
      if (thread !== undefined) add(threadStates, thread.state);
    }
  }
  return { pids, threads, states, threadStates };
}

function readLimit(proc: Tree, name: string): number {
  const text = proc.read(`sys/kernel/${name}`).trim();
  return parsed(uint(text), name, text);
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
    return async (out, turn) => {
      const { pids, threads, states, threadStates } = await count(proc, turn);
      out.sample(metrics.threads, threads);
      out.sample(metrics.maxThreads, readLimit(proc, 'threads-max'));
      for (const [state, value] of states) out.sample(metrics.states, value, state);
      for (const [state, value] of threadStates) out.sample(metrics.threadStates, value, state);
      out.sample(metrics.pids, pids);
      out.sample(metrics.maxPids, readLimit(proc, 'pid_max'));
    };
  },
});
