// What scenarios inside a guest share.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync } from 'node:fs';
import { get } from 'node:http';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { parseExposition, type ScrapedFamily } from '../exposition.ts';

/** Hands results to the test outside. */
export const tell = (results: object): void => {
  process.stdout.write(`RESULT ${JSON.stringify(results)}\n`);
};

export const fetchText = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve(text));
    }).on('error', reject);
  });

export interface Keyhole {
  readonly child: ChildProcess;
  log(): string;
  scrape(): Promise<Map<string, ScrapedFamily>>;
  stop(): Promise<number | null>;
}

const TRIES = 600;

const BUNDLE = [process.execPath, '--disable-warning=ExperimentalWarning', '/keyhole.cjs'];

/** Starts Keyhole with the perf collector alone and waits for its first answer. */
export const startKeyhole = (
  port: number,
  args: readonly string[],
  command: readonly string[] = BUNDLE,
): Promise<Keyhole> => startExporter(port, ['--collector.perf', ...args], command);

/** Starts Keyhole, or another exporter, with the collectors in `args` alone and waits for its first answer. */
export async function startExporter(
  port: number,
  args: readonly string[],
  command: readonly string[] = BUNDLE,
  uid?: number,
): Promise<Keyhole> {
  const [program, ...rest] = command as [string, ...string[]];
  const all = [...rest, '--collector.disable-defaults', ...args];
  const child = spawn(program, [...all, `--web.listen-address=127.0.0.1:${port}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = once(child, 'exit');
  const url = `http://127.0.0.1:${port}/metrics`;
  for (let i = 0; ; i += 1) {
    try {
      await fetchText(url);
      break;
    } catch (error) {
      if (i > TRIES || child.exitCode !== null) throw new Error(`no answer: ${log}`, { cause: error });
      await delay(100);
    }
  }
  return {
    child,
    log: () => log,
    scrape: async () => parseExposition(await fetchText(url)),
    async stop() {
      child.kill('SIGTERM');
      const [status] = (await ended) as [number | null];
      return status;
    },
  };
}

const NOBODY = 65534;

/** Starts it as nobody, with an executable that has CAP_PERFMON and nothing else. */
export async function startAsNobody(port: number, args: readonly string[]): Promise<Keyhole> {
  const node = '/tmp/node';
  if (!existsSync(node)) {
    copyFileSync(process.execPath, node);
    chmodSync(node, 0o755);
    execFileSync('setcap', ['cap_perfmon=p', node]);
  }
  return startExporter(port, ['--collector.perf', ...args], [node, ...BUNDLE.slice(1)], NOBODY);
}

/** The values of a family by CPU. */
export function byCpu(scrape: ReadonlyMap<string, ScrapedFamily>, family: string): Record<string, number> {
  const samples = [...(scrape.get(family)?.samples ?? [])];
  return Object.fromEntries(samples.map(([labels, value]) => [/cpu="([0-9]+)"/.exec(labels)?.[1] ?? labels, value]));
}
