import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { UsageError } from '../core/errors.ts';
import type { ListenAddress } from './address.ts';
import { CONNECTION_LIMITS, type ConnectionLimits, createConnections } from './connections.ts';
import { createHandler, type HandlerOptions } from './handler.ts';
import { type Inherited, type Listener, listen } from './listen.ts';

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

/** Listens and serves. Throws a `UsageError` for what the operator must change. */
export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const { log, telemetryPath, listenOn } = options;
  if (!telemetryPath.startsWith('/'))
    throw new UsageError(`--web.telemetry-path: ${JSON.stringify(telemetryPath)} does not begin with a slash`);
  const connections = createConnections({ ...CONNECTION_LIMITS, ...options.limits });
  const handle = createHandler(options);
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    connections.begin(socket);
    response.once('finish', () => connections.answered(socket));
    response.once('close', () => connections.end(socket));
    void handle(request, response);
  };
  // It never listens itself: connections are handed to it, so that one table holds them all and its timeouts are ours.
  const http = createServer({ headersTimeout: 0, requestTimeout: 0, keepAliveTimeout: 0 }, onRequest);
  const accept = (socket: Socket): void => {
    socket.on('error', () => socket.destroy());
    if (connections.add(socket)) http.emit('connection', socket);
    else socket.destroy();
  };
  const listeners: Listener[] = [];
  try {
    for (const where of listenOn) listeners.push(await listen(where, accept, log));
  } catch (error) {
    for (const each of listeners) each.close();
    throw error;
  }
  for (const { address } of listeners) {
    log.info('Listening on', { address });
    log.info('TLS is disabled.', { http2: false, address });
  }
  return {
    addresses: listeners.map(({ address }) => address),
    close(withinMs) {
      for (const each of listeners) each.close();
      return connections.drain(withinMs);
    },
  };
}
