// Two exporters side by side, scraped in turns over one connection each: what a scrape costs each of them.
import { readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type Exporter, KEYHOLE, startExporter } from '../test/helpers/exporter.ts';
import { cpuNs, median, percentile } from './cpu.ts';

export interface Plan {
  /** The program of node_exporter. */
  readonly reference: string;
  /** Flags of both. */
  readonly args: readonly string[];
  readonly rounds: number;
  /** Of each exporter in each round. */
  readonly scrapes: number;
  /** Of each exporter before the first round. */
  readonly warm: number;
  /** Between two scrapes; what it takes away from the CPU's caches belongs to the cost. */
  readonly gapMs: number;
  /** What happens between two scrapes and is not counted. */
  readonly tick?: () => void | Promise<void>;
}

/** What a scrape costs one exporter. */
export interface Cost {
  readonly cpuMs: number;
  readonly p99Ms: number;
  readonly pageFaults: number;
  readonly residentMib: number;
  readonly anonymousMib: number;
  /** What an answer has before it is compressed. */
  readonly samples: number;
}

export interface Pair {
  /** Of CPU time, the median of that of every round. */
  readonly ratio: number;
  readonly own: Cost;
  readonly other: Cost;
}

class Side {
  readonly #exporter: Exporter;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #latencyMs: number[] = [];
  readonly #faults: number[] = [];
  readonly cpuMs: number[] = [];

  constructor(exporter: Exporter) {
    this.#exporter = exporter;
  }

  get #pid(): number {
    return this.#exporter.child.pid as number;
  }

  /** As Prometheus asks: gzip, over a connection that stays. */
  scrape(): Promise<void> {
    const { port } = this.#exporter;
    const headers = { 'accept-encoding': 'gzip' };
    return new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port, path: '/metrics', agent: this.#agent, headers }, (answer) => {
        answer.once('error', reject).once('end', resolve).resume();
        if (answer.statusCode !== 200) reject(new Error(`status ${answer.statusCode}`));
      }).once('error', reject);
    });
  }

  async round({ scrapes, gapMs, tick }: Plan): Promise<void> {
    const [cpu, faults] = [cpuNs(this.#pid), pageFaults(this.#pid)];
    for (let i = 0; i < scrapes; i += 1) {
      await tick?.();
      const start = performance.now();
      await this.scrape();
      this.#latencyMs.push(performance.now() - start);
      if (gapMs > 0) await delay(gapMs);
    }
    this.cpuMs.push((cpuNs(this.#pid) - cpu) / scrapes / 1e6);
    this.#faults.push((pageFaults(this.#pid) - faults) / scrapes);
  }

  async cost(): Promise<Cost> {
    const status = readFileSync(`/proc/${this.#pid}/status`, 'latin1');
    const mib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]) / 1024;
    const [residentMib, anonymousMib] = [mib('VmRSS'), mib('RssAnon')];
    const text = await this.#exporter.scrape();
    return {
      cpuMs: median(this.cpuMs),
      p99Ms: percentile(this.#latencyMs, 0.99),
      pageFaults: median(this.#faults),
      residentMib,
      anonymousMib,
      samples: text.match(/^[^#\n]/gm)?.length ?? 0,
    };
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#exporter.stop('SIGKILL');
  }
}

/** Minor faults, which are in the tenth field. https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html */
function pageFaults(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[7]);
}

export async function comparePair(plan: Plan): Promise<Pair> {
  const sides: Side[] = [];
  try {
    for (const command of [KEYHOLE, [plan.reference]]) sides.push(new Side(await startExporter(command, plan.args)));
    const [own, other] = sides as [Side, Side];
    for (const side of sides) {
      for (let i = 0; i < plan.warm; i += 1) {
        await plan.tick?.();
        await side.scrape();
      }
    }
    for (let round = 0; round < plan.rounds; round += 1) for (const side of sides) await side.round(plan);
    const ratios = own.cpuMs.map((ms, round) => ms / (other.cpuMs[round] as number));
    return { ratio: median(ratios), own: await own.cost(), other: await other.cost() };
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}

export function describePair({ own, other }: Pair, { rounds, scrapes }: Pick<Plan, 'rounds' | 'scrapes'>): string {
  const both = (key: keyof Cost, digits: number): string =>
    `${own[key].toFixed(digits)} against ${other[key].toFixed(digits)}`;
  return [
    `CPU ${both('cpuMs', 2)} ms a scrape`,
    `p99 ${both('p99Ms', 1)} ms`,
    `page faults ${both('pageFaults', 0)}`,
    `resident ${both('residentMib', 1)} MiB`,
    `anonymous ${both('anonymousMib', 1)} MiB`,
    `samples ${both('samples', 0)}`,
    `medians of ${rounds} rounds of ${scrapes} scrapes`,
  ].join(', ');
}
