import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Respond } from './answer.ts';

/** Longer heads are not remembered. */
const HEAD_BYTES_MAX = 4096;
const HEAD_END = Buffer.from('\r\n\r\n');

/** What a repeated request needs: to be answered without being parsed. */
export type AnswerRepeat = (socket: Socket, respond: Respond, done: () => void) => void;

interface Watched {
  /** node:http's own listener for data. */
  readonly parse: (chunk: Buffer) => void;
  /** Requests that node:http has under way. */
  busy: number;
  /** The last one whose body is not there yet, or that came of the last chunk. */
  last: { readonly request: IncomingMessage; readonly respond: Respond } | undefined;
  /** Whether node:http waits for the rest of a request. */
  isPartial: boolean;
  /** The head of a whole request that node:http has parsed, and what answers it. */
  known: { readonly head: Buffer; readonly respond: Respond } | undefined;
}

/**
 * Scrapers send the same bytes again and again on one connection. node:http parses the first request; what equals it byte for
 * byte is the same request, and is answered without another round of parser, request, response, timers and streams (most
 * of what an answer costs beside its making). Anything else goes the way through node:http.
 */
export interface Repeats {
  /** Looks at the data of a connection that node:http has just taken. */
  watch(socket: Socket): void;
  /** node:http has parsed a request on it. */
  begin(socket: Socket, request: IncomingMessage, respond: Respond): void;
  /** And has answered it. */
  end(socket: Socket): void;
}

const endsHead = (chunk: Buffer): boolean =>
  chunk.length >= HEAD_END.length && chunk.subarray(-HEAD_END.length).equals(HEAD_END);

/** Whether a request says all by its head, and leaves the connection as it was. */
function isRepeatable({ method, httpVersion, headers }: IncomingMessage): boolean {
  const { connection = 'keep-alive' } = headers;
  return (
    method === 'GET' &&
    httpVersion === '1.1' &&
    connection.toLowerCase() === 'keep-alive' &&
    ['content-length', 'transfer-encoding', 'expect', 'upgrade'].every((name) => headers[name] === undefined)
  );
}

/** `onPartial` hears when the rest of a request is waited for. */
export function createRepeats(answer: AnswerRepeat, onPartial: (socket: Socket) => void): Repeats {
  const all = new WeakMap<Socket, Watched>();

  const giveToNode = (socket: Socket, watched: Watched, chunk: Buffer): void => {
    const isFirst = !watched.isPartial && watched.busy === 0;
    watched.parse(chunk);
    const { last } = watched;
    // With nothing left over: what ends so ends a head, or is a body (then the request says whether that is whole).
    watched.isPartial = !endsHead(chunk) || last?.request.complete === false;
    if (watched.isPartial) {
      onPartial(socket);
      return;
    }
    watched.last = undefined;
    if (!isFirst || last === undefined || !isRepeatable(last.request)) return;
    if (chunk.length <= HEAD_BYTES_MAX && chunk.indexOf(HEAD_END) === chunk.length - HEAD_END.length)
      watched.known = { head: Buffer.from(chunk), respond: last.respond };
  };

  const onData = (socket: Socket, watched: Watched, chunk: Buffer): void => {
    const { known } = watched;
    if (known !== undefined && !watched.isPartial && watched.busy === 0 && chunk.equals(known.head)) {
      let isDone = false;
      answer(socket, known.respond, () => {
        isDone = true;
        if (socket.isPaused()) socket.resume();
      });
      // One request after another. The end of the client's side waits too: node:http would close ours.
      if (!isDone) socket.pause();
    } else giveToNode(socket, watched, chunk);
  };

  return {
    watch(socket) {
      const [parse, another] = socket.listeners('data') as ((chunk: Buffer) => void)[];
      // Not the node:http that this is made for: it works alone.
      if (parse === undefined || another !== undefined) return;
      const watched: Watched = {
        parse: parse.bind(socket),
        busy: 0,
        last: undefined,
        isPartial: false,
        known: undefined,
      };
      all.set(socket, watched);
      // Another listener for data makes node:http read through the stream, and no longer from the handle beneath it.
      socket.on('data', (chunk: Buffer) => onData(socket, watched, chunk));
      socket.removeListener('data', parse);
    },
    begin(socket, request, respond) {
      const watched = all.get(socket);
      if (watched === undefined) return;
      watched.busy += 1;
      watched.last = { request, respond };
    },
    end(socket) {
      const watched = all.get(socket);
      if (watched !== undefined) watched.busy -= 1;
    },
  };
}
