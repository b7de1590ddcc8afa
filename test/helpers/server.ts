import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { type LogFields, type Logger, silent } from '../../src/core/log.ts';
import { gauge } from '../../src/core/metric.ts';
import { createRegistry, type Ready } from '../../src/core/registry.ts';
import { parseAddress } from '../../src/server/address.ts';
import { exporterParts } from '../../src/server/exporter_metrics.ts';
import { type RunningServer, type ServerOptions, startServer } from '../../src/server/start.ts';
import { openTree } from '../../src/source/source.ts';

const value = gauge('node_test', 'A number.', 'collector');

/** A collector that writes one series, after `before` is done. */
export const collectorNamed = (name: string, before?: () => Promise<void>): Ready => ({
  name,
  parts: [
    before === undefined
      ? (out) => out.sample(value, 1, name)
      : async (out) => {
          await before();
          out.sample(value, 1, name);
        },
  ],
});

export interface TestServer {
  readonly url: string;
  readonly port: number;
  readonly server: RunningServer;
}

export interface TestServerOptions extends Partial<Omit<ServerOptions, 'listenOn'>> {
  readonly exporterMetrics?: boolean;
  readonly collectors?: readonly Ready[];
  readonly listenOn?: readonly string[];
}

export const BUILD = {
  branch: 'main',
  goarch: 'amd64',
  goos: 'linux',
  goversion: 'v26.10.0',
  revision: 'abc',
  tags: '',
  version: '1.2.3',
};

/** A server on a port of its own, with two collectors (`cpu`, `stat`) unless others are given; it goes away with the test. */
export async function serve(t: TestContext, options: TestServerOptions = {}): Promise<TestServer> {
  const {
    collectors = [collectorNamed('cpu'), collectorNamed('stat')],
    listenOn = ['127.0.0.1:0'],
    ...others
  } = options;
  const { exporterMetrics = true, ...rest } = others;
  const server = await startServer({
    registry: createRegistry(collectors, { timeoutMs: 5000, log: silent }),
    log: silent,
    build: BUILD,
    telemetryPath: '/metrics',
    requestsMax: 40,
    own: exporterMetrics ? exporterParts({ own: openTree('/proc'), pageSizeBytes: 4096, layouts: () => 0 }) : undefined,
    disabled: ['ntp'],
    webConfigFile: '',
    ...rest,
    listenOn: listenOn.map((text) => parseAddress(text)),
  });
  t.after(() => server.close(0));
  const [first = ''] = server.addresses;
  const port = Number(first.slice(first.lastIndexOf(':') + 1));
  return { url: `http://127.0.0.1:${port}`, port, server };
}

export interface RawConnection {
  readonly socket: Socket;
  /** What has come back so far. */
  received(): string;
  readonly closed: Promise<unknown>;
}

/** A bare connection, for what no HTTP client would send. */
export async function rawConnection(t: TestContext, port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  t.after(() => void socket.destroy());
  const closed = new Promise((resolve) => socket.once('close', resolve));
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return { socket, received: () => text, closed };
}

/** Sends bytes, and answers what comes back until the server closes. */
export async function exchange(t: TestContext, port: number, bytes: string): Promise<string> {
  const connection = await rawConnection(t, port);
  connection.socket.write(bytes, 'latin1');
  await connection.closed;
  return connection.received();
}

export interface Told {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps what it is told. */
export function keepingLog(kept: Told[], bound: LogFields = {}): Logger {
  const at = (level: string) => (message: string, fields?: LogFields) =>
    void kept.push({ level, message, fields: { ...bound, ...fields } });
  return {
    isDebug: true,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => keepingLog(kept, { ...bound, ...fields }),
  };
}
