import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import process from 'node:process';
import type { TestContext } from 'node:test';

/** The other end: connects where it is told to (`connect NAME`), and ends what it is told to (`end NAME`). */
const CLIENT = `
  const { connect } = require('node:net');
  const sockets = new Map();
  require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
    const [verb, name, host, port] = line.split(' ');
    if (verb === 'end') sockets.get(name).end();
    else sockets.set(name, connect({ host, port: Number(port), allowHalfOpen: true, localPort: 20000 + Number(name) }).on('error', () => {}).resume());
  });
  console.log('ready');
`;

const HERE = '198.18.0.1';
const THERE = '198.18.0.2';
const NOBODY = '198.18.0.200';
const OTHER_PORT = 20_000;
const PINGS_MAX = 20;

/** Two network devices that are each other's ends. */
export interface Pair {
  readonly near: string;
  readonly far: string;
}

const ip = (...words: readonly string[]): void => {
  execFileSync('ip', words);
};

/** What is sent to this address over the device arrives nowhere. */
const lose = (address: string, device: string): void =>
  ip('neigh', 'replace', address, 'lladdr', '02:00:00:00:00:bb', 'nud', 'permanent', 'dev', device);

/** A process in a network namespace of its own, to which the far end goes. */
async function otherEnd(t: TestContext, { near, far }: Pair): Promise<ChildProcess> {
  const child = spawn('unshare', ['--net', '--', process.execPath, '-e', CLIENT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  const inside = (...words: readonly string[]): void => {
    execFileSync('nsenter', ['-t', String(child.pid), '-n', 'ip', ...words]);
  };
  ip('link', 'set', far, 'netns', String(child.pid));
  ip('addr', 'add', `${HERE}/24`, 'dev', near);
  inside('addr', 'add', `${THERE}/24`, 'dev', far);
  inside('link', 'set', far, 'up');
  // A link takes its time to come up, and a packet that is lost meanwhile is sent again only after seconds.
  const pings = ['-t', String(child.pid), '-n', 'ping', '-c', '1', '-W', '1', '-q', HERE];
  for (let tries = 0; spawnSync('nsenter', pings).status !== 0; tries += 1)
    if (tries === PINGS_MAX) throw new Error(`${far} does not reach ${near}`);
  return child;
}

async function listening(t: TestContext, host: string): Promise<Server> {
  const server = createServer({ allowHalfOpen: true });
  t.after(() => server.close());
  server.listen(0, host);
  await once(server, 'listening');
  return server;
}

const portOf = (server: Server): number => (server.address() as { port: number }).port;

/** TCP sockets in every state that lasts, over a pair that nothing else uses. */
export async function openSockets(t: TestContext, pair: Pair): Promise<void> {
  const child = await otherEnd(t, pair);
  const server = await listening(t, HERE);
  const accepted = new Map<number, Socket>();
  const ended = new Map<number, Promise<unknown>>();
  server.on('connection', (socket) => {
    const name = (socket.remotePort as number) - OTHER_PORT;
    accepted.set(
      name,
      socket.resume().on('error', () => {}),
    );
    ended.set(name, once(socket, 'end'));
    t.after(() => socket.destroy());
  });
  const order = (verb: string, name: number): void => {
    child.stdin?.write(`${verb} ${name} ${HERE} ${portOf(server)}\n`);
  };
  const arrived = async (name: number): Promise<void> => {
    order('connect', name);
    while (!accepted.has(name)) await once(server, 'connection');
  };
  /** Our end is sent when this resolves. */
  const end = async (name: number): Promise<void> => {
    const socket = accepted.get(name) as Socket;
    const sent = once(socket, 'finish');
    socket.end();
    await sent;
  };
  // Established, and with something in its queue.
  await arrived(1);
  // We have been left: close_wait, and later last_ack.
  for (const name of [2, 3]) {
    await arrived(name);
    order('end', name);
    await ended.get(name);
  }
  // We have left: fin_wait2.
  await arrived(4);
  await end(4);
  // We have left first: time_wait.
  await arrived(5);
  await end(5);
  order('end', 5);
  await ended.get(5);
  for (const name of [6, 7]) await arrived(name);
  // What we send is lost from now on.
  lose(THERE, pair.near);
  accepted.get(1)?.write('lost'.repeat(2000));
  // last_ack, fin_wait1, and closing, where both leave at once.
  for (const name of [3, 6, 7]) await end(name);
  order('end', 7);
  await ended.get(7);
  // Our answer is lost: syn_recv. Nobody answers us: syn_sent.
  order('connect', 8);
  lose(NOBODY, pair.near);
  const lost = connect(1, NOBODY).on('error', () => {});
  t.after(() => lost.destroy());
  // The other family.
  const six = await listening(t, '::1');
  const own = connect(portOf(six), '::1').on('error', () => {});
  const [[there]] = await Promise.all([once(six, 'connection'), once(own, 'connect')]);
  t.after(() => {
    own.destroy();
    (there as Socket).destroy();
  });
}
