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
  /** It is not taken at once, in whole. `false` where its rest shall not be kept: the connection is gone. */
  untaken(sizeBytes: number): boolean;
  /** A part of it is taken. */
  progress(): void;
  /** Called once: it is taken, or the client has gone. */
  ended(): void;
}

export type Send = (socket: Socket, answer: Answer, taking: Taking) => void;

const hasTaken = (socket: Socket): boolean => socket.writableLength === 0 && !socket.destroyed;

/** Writes the rest of an answer, each piece when the one before it is taken. */
function writeRest(socket: Socket, rest: Buffer, taking: Taking): void {
  const onTaken = (error?: Error | null): void => {
    let at = 0;
    if (!error && !socket.destroyed) taking.progress();
    while (at < rest.length && hasTaken(socket)) {
      socket.write(rest.subarray(at, at + PIECE_BYTES));
      at += PIECE_BYTES;
    }
    if (socket.destroyed || (at >= rest.length && hasTaken(socket))) taking.ended();
    else writeRest(socket, rest.subarray(at), taking);
  };
  // Called when all before it is taken, or the connection is gone.
  socket.write(NOTHING, onTaken);
}

/**
 * A function that writes an answer as node:http would on a connection that stays, byte for byte, without its objects.
 */
export function createSend(now = Date.now): Send {
  // For head and body of one answer after another.
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
    const { body, lasting } = answer;
    const head = headOf(answer);
    kept.write(head, 0, 'latin1');
    let at = body.copy(kept, head.length, 0, PIECE_BYTES - head.length);
    socket.write(kept.subarray(0, head.length + at));
    while (at < body.length && hasTaken(socket)) {
      const count = body.copy(kept, 0, at, at + PIECE_BYTES);
      socket.write(kept.subarray(0, count));
      at += count;
    }
    if (hasTaken(socket)) {
      taking.ended();
      return;
    }
    // The socket holds on to it.
    kept = Buffer.allocUnsafeSlow(PIECE_BYTES);
    if (socket.destroyed || !taking.untaken(body.length)) taking.ended();
    else writeRest(socket, lasting ? body.subarray(at) : Buffer.from(body.subarray(at)), taking);
  };
}

/** The same through node:http, which tells by `close` when it is over. */
export function sendByNode(
  response: ServerResponse,
  { status, headers, body, lasting }: Answer,
  progress: () => void,
): void {
  response.writeHead(status, { ...headers, 'Content-Length': body.length });
  const bytes = lasting ? body : Buffer.from(body);
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
