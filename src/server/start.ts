import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { Socket } from 'node:net';
import { NOTHING, optional } from '../core/errors.ts';
import { parseLimits } from '../parse/limits.ts';
import { type ListenAddress, requirePath } from './address.ts';
import { CONNECTION_LIMITS, type ConnectionLimits, createConnections } from './connections.ts';
import { createHandler, type HandlerOptions } from './handler.ts';
import { type Inherited, type Listener, listen } from './listen.ts';
import { createRequests, type Requests } from './requests.ts';
import { openWebConfig } from './web_config.ts';

export interface ServerOptions extends HandlerOptions {
  readonly listenOn: readonly (ListenAddress | Inherited)[];
  /** The path of `--web.config.file`; empty for none. */
  readonly webConfigFile: string;
  readonly limits?: Partial<ConnectionLimits>;
}

export interface RunningServer {
  /** Where it listens, with the port that the kernel chose where 0 was asked for. */
  readonly addresses: readonly string[];
  /** Stops accepting, answers what is under way, and resolves when that is done or the time is over. */
  close(withinMs: number): Promise<void>;
}

/** As many connections as leave enough descriptors for reading the kernel's files. */
function affordable(): number {
  const limits = optional(() => readFileSync('/proc/self/limits', 'utf8'), NOTHING) ?? '';
  const { openFiles = Number.POSITIVE_INFINITY } = parseLimits(limits);
  return Math.max(1, Math.min(CONNECTION_LIMITS.connectionsMax, Math.floor(openFiles / 4)));
}

// Its timeouts are off: the table of connections has ours.
const HTTP = { headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 } as const;

/** A server that never listens: connections are handed to it, so that one table holds those of every listener. */
function createPlainCarrier({ onRequest, watch }: Requests): (socket: Socket) => void {
  // As Go, and not as Node's default: who has sent all it has to send still gets its answer.
  const http = Object.assign(createServer(HTTP, onRequest), { httpAllowHalfOpen: true });
  return (socket) => {
    http.emit('connection', socket);
    watch(socket);
  };
}

/** Listens and serves. Throws a `UsageError` for what the operator must change. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { telemetryPath, listenOn, webConfigFile } = options;
  const log = options.log.with({ source: 'server.ts' });
  requirePath(telemetryPath);
  const connections = createConnections({ ...CONNECTION_LIMITS, connectionsMax: affordable(), ...options.limits });
  const webConfig = webConfigFile === '' ? undefined : await openWebConfig(webConfigFile);
  const handler = createHandler({ ...options, log, makeRoom: connections.dropSlow });
  // Node's cryptography takes long to load: only where it is asked for.
  const handle =
    webConfig === undefined ? handler : await (await import('./guard.ts')).createGuard(handler, webConfig, log);
  const requests = createRequests(handle, connections, log);
  const tls = webConfig !== undefined && webConfig().tls !== undefined;
  const carry = tls
    ? (await import('./tls.ts')).createTlsCarrier(webConfig, HTTP, requests, log)
    : createPlainCarrier(requests);
  const accept = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    if (connections.add(socket)) carry(socket);
    else socket.destroy();
  };
  const listeners: Listener[] = [];
  try {
    for (const where of listenOn) listeners.push(...(await listen(where, accept, log)));
  } catch (error) {
    for (const each of listeners) each.close();
    throw error;
  }
  for (const { address } of listeners) {
    log.info('Listening on', { address });
    log.info(tls ? 'TLS is enabled.' : 'TLS is disabled.', { http2: false, address });
  }
  return {
    addresses: listeners.map(({ address }) => address),
    close(withinMs) {
      for (const each of listeners) each.close();
      return connections.drain(withinMs);
    },
  };
}
