// Calls of gRPC with one message each way, over a Unix socket. https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectSocket } from 'node:net';

export interface Channel {
  /** Answers the bytes of the message that came back. `path` is `/<package>.<service>/<method>`. */
  call(path: string, message: Buffer): Promise<Buffer>;
  close(): void;
}

const DEADLINE_MS = 60_000;
const PREFIX_BYTES = 5;

export function openChannel(socketPath: string): Channel {
  const session = connectHttp2('http://localhost', { createConnection: () => connectSocket(socketPath) });
  // What goes wrong is told to the calls that are under way.
  session.on('error', () => {});
  return {
    call: (path, message) =>
      new Promise((resolve, reject) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': path,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        const chunks: Buffer[] = [];
        let status = '';
        let said = '';
        const look = (headers: Record<string, string | string[] | number | boolean | undefined>): void => {
          if (headers['grpc-status'] === undefined) return;
          status = String(headers['grpc-status']);
          said = decodeURIComponent(String(headers['grpc-message'] ?? ''));
        };
        stream.setTimeout(DEADLINE_MS, () => stream.destroy(new Error(`${path}: no answer`)));
        stream.on('response', look);
        stream.on('trailers', look);
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('error', reject);
        stream.on('close', () => {
          if (status === '0') resolve(Buffer.concat(chunks).subarray(PREFIX_BYTES));
          else reject(new Error(`${path}: status ${status || 'unknown'}: ${said}`));
        });
        const prefix = Buffer.alloc(PREFIX_BYTES);
        prefix.writeUInt32BE(message.length, 1);
        stream.end(Buffer.concat([prefix, message]));
      }),
    close: () => session.close(),
  };
}
