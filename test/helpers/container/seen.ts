import { setTimeout as delay } from 'node:timers/promises';
import { parseExposition } from '../exposition.ts';
import { threadsOf } from '../threads.ts';

/** What an exporter somewhere says of itself, and the host of its process. */
export interface Seen {
  /** Counted CPUs: series of context switches, which every machine can count. */
  readonly counted: number;
  readonly success: number | undefined;
  /** Why there are no counters of software, where there are none. */
  readonly reason: string;
  readonly stage: string;
  /** The same in every thread, or the test is over. */
  readonly bounding: bigint;
  /** Permitted, effective, inheritable and ambient capabilities of all threads together. */
  readonly held: bigint;
}

const START_MS = 15_000;

/** Asks until it is answered. */
export async function get(url: string, alive: () => Promise<boolean> = async () => true): Promise<string> {
  for (const until = Date.now() + START_MS; ; await delay(30)) {
    try {
      const answer = await fetch(url, { signal: AbortSignal.timeout(START_MS) });
      const body = await answer.text();
      if (!answer.ok) throw new Error(`${answer.status}: ${body}`);
      return body;
    } catch (error) {
      if (Date.now() > until || !(await alive())) throw error;
    }
  }
}

export function seen(body: string, pid: number): Seen {
  const families = parseExposition(body);
  const labels = (name: string): string => [...(families.get(name)?.samples.keys() ?? [])].join();
  const threads = threadsOf(pid);
  const [first] = threads;
  if (first === undefined || threads.some(({ bounding }) => bounding !== first.bounding))
    throw new Error('the threads differ in their bounding sets');
  return {
    counted: families.get('node_perf_context_switches_total')?.samples.size ?? 0,
    success: families.get('node_scrape_collector_success')?.samples.get('{collector="perf"}'),
    reason: /kind="software",reason="(\w+)"/.exec(labels('keyhole_perf_unavailable'))?.[1] ?? '',
    stage: /stage="(\w+)"/.exec(labels('keyhole_privilege_info'))?.[1] ?? '',
    bounding: first.bounding,
    held: threads.reduce(
      (all, { permitted, effective, inheritable, ambient }) => all | permitted | effective | inheritable | ambient,
      0n,
    ),
  };
}
