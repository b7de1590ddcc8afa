import { lookup } from 'node:dns/promises';
import { createServer, isIP, type Server, type Socket } from 'node:net';
import { errnoOf, messageOf, UsageError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import type { ListenAddress } from './address.ts';

export interface Listener {
  /** As `ss` shows it: `[::]:9100`. */
  readonly address: string;
  /** Stops accepting. */
  close(): void;
}

/** A socket that was opened for us already: by systemd, or before the seal. */
export interface Inherited {
  readonly fd: number;
}

const BACKLOG = 1024;
/** What listening gives for a family of addresses that the machine has not. */
const ABSENT_FAMILY: readonly string[] = ['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'];
const LOGGED_EVERY_MS = 60_000;

const shown = ({ host, port }: ListenAddress): string => `${host.includes(':') ? `[${host}]` : host}:${port}`;

function addressOf(server: Server): string {
  const bound = server.address();
  if (bound === null) return '';
  return typeof bound === 'string' ? bound : shown({ host: bound.address, port: bound.port });
}

const isInherited = (where: ListenAddress | Inherited): where is Inherited => 'fd' in where;

const listening = (server: Server, where: { host?: string; port?: number; fd?: number }): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ ...where, backlog: BACKLOG }, () => {
      server.off('error', reject);
      resolve();
    });
  });

async function bind(server: Server, where: ListenAddress | Inherited): Promise<void> {
  if (isInherited(where)) return listening(server, { fd: where.fd });
  if (where.host !== '') return listening(server, where);
  try {
    await listening(server, { host: '::', port: where.port });
  } catch (error) {
    // A machine without IPv6.
    if (!ABSENT_FAMILY.includes(errnoOf(error) ?? '')) throw error;
    await listening(server, { host: '0.0.0.0', port: where.port });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name cannot be looked up just now',
};

const unusable = (where: ListenAddress | Inherited, error: unknown): UsageError => {
  const name = isInherited(where) ? `file descriptor ${where.fd}` : shown(where);
  return new UsageError(`listen on ${name}: ${REASONS[errnoOf(error) ?? ''] ?? messageOf(error)}`, { cause: error });
};

/** The addresses of a host's name: the first of each family, IPv4 before IPv6, so that `localhost` is reached by both. */
async function addressesOf(where: ListenAddress | Inherited): Promise<readonly (ListenAddress | Inherited)[]> {
  if (isInherited(where) || where.host === '' || isIP(where.host) !== 0) return [where];
  const { host, port } = where;
  try {
    const all = await lookup(host, { all: true, order: 'ipv4first' });
    const first = [4, 6].flatMap((family) => all.find((each) => each.family === family) ?? []);
    // Where the kernel chooses the port, another address would get another.
    return (port === 0 ? first.slice(0, 1) : first).map(({ address }) => ({ host: address, port }));
  } catch (error) {
    throw unusable(where, error);
  }
}

/** Listens, at a host's name on several addresses; throws a `UsageError` that names the address. */
export async function listen(
  where: ListenAddress | Inherited,
  accept: (socket: Socket) => void,
  log: Logger,
): Promise<readonly Listener[]> {
  const listeners: Listener[] = [];
  let fault: unknown;
  for (const each of await addressesOf(where)) {
    try {
      listeners.push(await listenAt(each, accept, log));
    } catch (error) {
      fault = error;
      // A name has an IPv6 address on machines that have IPv6 switched off.
      if (each !== where && error instanceof UsageError && ABSENT_FAMILY.includes(errnoOf(error.cause) ?? '')) continue;
      for (const { close } of listeners) close();
      throw error;
    }
  }
  if (listeners.length === 0) throw fault;
  return listeners;
}

const CHOICES_MAX = 5;

/** Of a port that the kernel chooses another program may have bound the same, and listen there first: then it chooses again. */
async function bindAny(server: Server, where: ListenAddress | Inherited): Promise<void> {
  for (let left = isInherited(where) || where.port !== 0 ? 0 : CHOICES_MAX; ; left -= 1) {
    try {
      return await bind(server, where);
    } catch (error) {
      if (left === 0 || errnoOf(error) !== 'EADDRINUSE') throw error;
    }
  }
}

async function listenAt(
  where: ListenAddress | Inherited,
  accept: (socket: Socket) => void,
  log: Logger,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  try {
    await bindAny(server, where);
  } catch (error) {
    throw unusable(where, error);
  }
  let loggedAt = Number.NEGATIVE_INFINITY;
  // Such as EMFILE: no connection could be taken this time. It passes.
  server.on('error', (error) => {
    if (performance.now() - loggedAt < LOGGED_EVERY_MS) return;
    loggedAt = performance.now();
    log.warn('cannot accept connections', { err: messageOf(error) });
  });
  return { address: addressOf(server), close: () => void server.close() };
}
