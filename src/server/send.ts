import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';

/** Kept for head and body of one answer after another. A larger one gets a buffer of its own. */
const KEPT_BYTES = 256 << 10;

export type Send = (socket: Socket, answer: Answer) => void;

/**
 * A function that writes an answer as node:http would on a connection that stays, byte for byte, without its objects. What
 * the socket has not taken at once is still in `socket.writableLength` when it returns.
 */
export function createSend(now = Date.now): Send {
  let kept = Buffer.allocUnsafeSlow(KEPT_BYTES);
  let dateSecond = 0;
  let date = '';
  const headOf = ({ status, headers, body }: Answer): string => {
    const time = now();
    const second = Math.floor(time / 1000);
    if (second !== dateSecond) date = new Date(time).toUTCString();
    dateSecond = second;
    let fields = '';
    for (const name of Object.keys(headers)) fields += `${name}: ${headers[name]}\r\n`;
    return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${fields}Content-Length: ${body.length}\r\nDate: ${date}\r\nConnection: keep-alive\r\n\r\n`;
  };
  return (socket, answer) => {
    const head = headOf(answer);
    const length = head.length + answer.body.length;
    const buffer = length <= kept.length ? kept : Buffer.allocUnsafeSlow(length);
    buffer.write(head, 0, 'latin1');
    answer.body.copy(buffer, head.length);
    socket.write(buffer.subarray(0, length));
    // The socket holds on to it, until the client has taken the rest.
    if (socket.writableLength > 0 && buffer === kept) kept = Buffer.allocUnsafeSlow(KEPT_BYTES);
  };
}

/** The same through node:http. */
export function sendByNode(response: ServerResponse, { status, headers, body }: Answer): void {
  response.writeHead(status, { ...headers, 'Content-Length': body.length });
  response.end(Buffer.from(body));
}
