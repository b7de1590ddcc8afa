import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

const ROOT = new URL('../../', import.meta.url).pathname;

/** The command that starts Keyhole: the executable where it is built, else the sources. */
export const KEYHOLE: readonly string[] = existsSync(`${ROOT}dist/keyhole`)
  ? [`${ROOT}dist/keyhole`]
  : [process.execPath, `${ROOT}src/main.ts`];

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export interface Exporter {
  readonly url: string;
  readonly port: number;
  readonly child: ChildProcess;
  /** What it has written to stderr so far. */
  log(): string;
  /** The body of one scrape. */
  scrape(query?: string): Promise<string>;
  /** Ends it and answers its exit status, or the signal that ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

const START_MS = 30_000;
const STOP_MS = 30_000;

/** What must not outlive the test, however it ends. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** Starts an exporter on a free port of the loopback and waits until it answers. */
export async function startExporter(
  command: readonly string[] = KEYHOLE,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Exporter> {
  const port = await freePort();
  const [program, ...rest] = command as [string, ...string[]];
  const all = [...rest, ...args, `--web.listen-address=127.0.0.1:${port}`];
  const child = spawn(program, all, { stdio: ['ignore', 'ignore', 'pipe'], env });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let log = '';
  child.stderr.on('data', (chunk) => {
    log += chunk;
  });
  const ended = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  for (const until = Date.now() + START_MS; ; ) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${program} ended at start:\n${log}`);
    if (await answers(url)) break;
    if (Date.now() > until) {
      child.kill('SIGKILL');
      throw new Error(`${program} does not answer:\n${log}`);
    }
    await delay(20);
  }
  return {
    url,
    port,
    child,
    log: () => log,
    async scrape(query = '') {
      const answer = await fetch(`${url}/metrics${query}`);
      const body = await answer.text();
      if (!answer.ok) throw new Error(`${answer.status}: ${body}`);
      return body;
    },
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      const [status, by] = (await ended) as [number | null, NodeJS.Signals | null];
      clearTimeout(late);
      if (by === 'SIGKILL' && signal !== 'SIGKILL') throw new Error(`${program} does not end on ${signal}:\n${log}`);
      return status ?? (by as NodeJS.Signals);
    },
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(`${url}/`, { signal: AbortSignal.timeout(START_MS) })).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
