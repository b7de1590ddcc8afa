import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { CallError } from '../core/daemons.ts';
import { LimitError, messageOf } from '../core/errors.ts';
import {
  type Call,
  ERROR,
  encodeCall,
  METHOD_RETURN,
  type Message,
  messageBytes,
  parseMessage,
  parseText,
} from './dbus_message.ts';

export interface Connection {
  /** Sends a call; answers what `parse` makes of the reply. Rejects a `CallError` for a refusal, and what ended the connection. */
  call<T>(call: Call, parse: (reply: Message) => T): Promise<T>;
  /** Rejects what is still waited for. */
  close(reason?: Error): void;
}

const LINE_BYTES_MAX = 1024;
const NOTHING: Buffer = Buffer.alloc(0);

/** Hands over a stream's bytes: lines (without their ends) as long as `onLine` asks for another, then message after message. */
function createSplitter(onLine: (line: string) => boolean, onMessage: (message: Message) => void) {
  let bytes = NOTHING;
  /** What of them is taken. */
  let at = 0;
  let inMessages = false;
  // What has come since of a message that is longer: put together once, not at every piece.
  let pieces: Buffer[] = [];
  let missing = 0;

  const takeLine = (): boolean => {
    const end = bytes.indexOf('\r\n', at);
    if (end < 0 && bytes.length - at > LINE_BYTES_MAX)
      throw new LimitError(`D-Bus: a line of ${bytes.length - at} bytes`);
    if (end < 0) return false;
    const line = bytes.toString('latin1', at, end);
    at = end + 2;
    inMessages = !onLine(line);
    return true;
  };
  const takeMessage = (): boolean => {
    const size = messageBytes(bytes, at);
    if (size === undefined) return false;
    const start = at;
    missing = start + size - bytes.length;
    if (missing > 0) return false;
    at += size;
    onMessage(parseMessage(bytes.subarray(start, at)));
    return true;
  };
  return (chunk: Buffer): void => {
    pieces.push(chunk);
    missing -= chunk.length;
    if (missing > 0) return;
    bytes = pieces.length === 1 && at === bytes.length ? chunk : Buffer.concat([bytes.subarray(at), ...pieces]);
    at = 0;
    pieces = [];
    missing = 0;
    while (inMessages ? takeMessage() : takeLine());
  };
}

interface Waiting {
  take(reply: Message): void;
  reject(error: Error): void;
}

/** Sends what is given within one turn of the event loop in one write. */
function createSender(socket: Socket): (bytes: Buffer) => void {
  let outgoing: Buffer[] = [];
  return (bytes) => {
    if (outgoing.push(bytes) > 1) return;
    process.nextTick(() => {
      socket.write(Buffer.concat(outgoing));
      outgoing = [];
    });
  };
}

/**
 * Connects to the Unix socket at `path` (one that starts with a zero is abstract) as the user that the kernel says it is. The
 * connection ends with `signal`.
 */
export function dial(path: string, signal: AbortSignal): Promise<Connection> {
  const waiting = new Map<number, Waiting>();
  const socket = connect({ path });
  const send = createSender(socket);
  let serial = 0;
  let ended: Error | undefined;
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();

  const close = (reason = new Error('the connection was closed')): void => {
    if (ended !== undefined) return;
    ended = reason;
    signal.removeEventListener('abort', onAbort);
    socket.destroy();
    reject(reason);
    for (const each of waiting.values()) each.reject(reason);
    waiting.clear();
  };
  const onAbort = (): void => close(signal.reason);
  const connection: Connection = {
    close,
    call(call, parse) {
      if (ended !== undefined) return Promise.reject(ended);
      serial += 1;
      send(encodeCall(serial, call));
      return new Promise((resolve, reject) => {
        waiting.set(serial, { take: (reply) => resolve(parse(reply)), reject });
      });
    },
  };
  const onLine = (line: string): boolean => {
    if (line.startsWith('DATA')) return true;
    if (!line.startsWith('OK ')) throw new Error(`${path}: user ${process.geteuid?.()} is refused: ${line}`);
    socket.write('BEGIN\r\n');
    resolve(connection);
    return false;
  };
  const onMessage = (message: Message): void => {
    const asked = waiting.get(message.replySerial);
    if (asked === undefined || (message.type !== METHOD_RETURN && message.type !== ERROR)) return;
    waiting.delete(message.replySerial);
    try {
      if (message.type === ERROR) throw new CallError(`${message.errorName}: ${parseText(message)}`);
      asked.take(message);
    } catch (error) {
      // What is wrong in a body is wrong with this reply alone: the next message starts where its head says.
      asked.reject(error as Error);
    }
  };
  const split = createSplitter(onLine, onMessage);
  socket.on('data', (chunk: Buffer) => {
    try {
      if (ended === undefined) split(chunk);
    } catch (error) {
      close(new Error(`${path}: ${messageOf(error)}`, { cause: error }));
    }
  });
  socket.on('error', (error) => close(new Error(`${path}: ${error.message}`, { cause: error })));
  socket.on('close', () => close(new Error(`${path}: the other end closed the connection`)));
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort);
  // Without the user's id: in a user namespace it is not the one that the other end sees.
  socket.write('\0AUTH EXTERNAL\r\nDATA\r\n');
  return promise;
}
