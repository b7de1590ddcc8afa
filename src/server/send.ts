import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer } from './answer.ts';

/**
 * Bytes that are written at once. The rest of an answer is written as the client takes it, so that a slow client can be told from
 * one that takes nothing.
 */
const PIECE_BYTES = 256 << 10;
const NOTHING = Buffer.alloc(0);

/** What becomes of an answer. */
export interface Taking {
  /** It is not taken at once, in whole. */
  untaken(sizeBytes: number): void;
  /** A part of it is taken. */
  progress(): void;
  /** Called once: it is taken, or the client has gone. */
  ended(): void;
}

export type Send = (socket: Socket, answer: Answer, taking: Taking) => void;

/** Writes what is left of `bytes` for as long as the socket takes it at once; answers where it stopped. */
function writePieces(socket: Socket, bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && socket.writableLength === 0 && !socket.destroyed) {
    socket.write(bytes.subarray(at, at + PIECE_BYTES));
    at += PIECE_BYTES;
  }
  return at;
}

/** Writes the rest of `bytes` from `from` on, each piece when the one before it is taken. */
function writeRest(socket: Socket, bytes: Buffer, from: number, { progress, ended }: Taking): void {
  const onTaken = (error?: Error | null): void => {
    if (error || socket.destroyed) {
      ended();
      return;
    }
    progress();
    const at = writePieces(socket, bytes, from);
    if (at >= bytes.length && socket.writableLength === 0) ended();
    else writeRest(socket, bytes, at, { progress, ended, untaken() {} });
  };
  // Called when all before it is taken, or the connection is gone.
  socket.write(NOTHING, onTaken);
}

/**
 * A function that writes an answer as node:http would on a connection that stays, byte for byte, without its objects.
 */
export function createSend(now = Date.now): Send {
  // For head and body of one answer after another. A larger one gets a buffer of its own.
  let kept = Buffer.allocUnsafeSlow(PIECE_BYTES);
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
  return (socket, answer, taking) => {
    const head = headOf(answer);
    const length = head.length + answer.body.length;
    const buffer = length <= kept.length ? kept : Buffer.allocUnsafeSlow(length);
    buffer.write(head, 0, 'latin1');
    answer.body.copy(buffer, head.length);
    const bytes = buffer.subarray(0, length);
    const at = writePieces(socket, bytes, 0);
    if (socket.destroyed || (at >= length && socket.writableLength === 0)) {
      taking.ended();
      return;
    }
    // The socket holds on to it.
    if (buffer === kept) kept = Buffer.allocUnsafeSlow(PIECE_BYTES);
    taking.untaken(length);
    writeRest(socket, bytes, at, taking);
  };
}

/** The same through node:http, which tells by `close` when it is over. */
export function sendByNode(response: ServerResponse, { status, headers, body }: Answer, progress: () => void): void {
  response.writeHead(status, { ...headers, 'Content-Length': body.length });
  const bytes = Buffer.from(body);
  const write = (at: number): void => {
    const end = at + PIECE_BYTES;
    if (end >= bytes.length) {
      response.end(bytes.subarray(at));
      return;
    }
    response.write(bytes.subarray(at, end), (error) => {
      if (error) return;
      progress();
      write(end);
    });
  };
  write(0);
}
