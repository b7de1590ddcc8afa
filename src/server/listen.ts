import { createServer, type Server, type Socket } from 'node:net';
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
const TOLD_EVERY_MS = 60_000;

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
    if (!['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL'].includes(errnoOf(error) ?? '')) throw error;
    await listening(server, { host: '0.0.0.0', port: where.port });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'address already in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'permission denied (ports below 1024 need CAP_NET_BIND_SERVICE)',
  ENOTFOUND: 'no such host',
};

/** Listens; throws a `UsageError` that names the address. */
export async function listen(
  where: ListenAddress | Inherited,
  accept: (socket: Socket) => void,
  log: Logger,
): Promise<Listener> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, accept);
  try {
    await bind(server, where);
  } catch (error) {
    const name = isInherited(where) ? `file descriptor ${where.fd}` : shown(where);
    throw new UsageError(`listen on ${name}: ${REASONS[errnoOf(error) ?? ''] ?? messageOf(error)}`, { cause: error });
  }
  let toldAt = Number.NEGATIVE_INFINITY;
  // Such as EMFILE: no connection could be taken this time. It passes.
  server.on('error', (error) => {
    if (performance.now() - toldAt < TOLD_EVERY_MS) return;
    toldAt = performance.now();
    log.warn('cannot accept connections', { err: messageOf(error) });
  });
  return { address: addressOf(server), close: () => void server.close() };
}
