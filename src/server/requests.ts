import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { type Answer, type Ask, andThen, type Handler, orElse, type Respond, refusal } from './answer.ts';
import type { Connections } from './connections.ts';
import { createRepeats } from './repeats.ts';
import { createSend, sendByNode } from './send.ts';

/** What the ways by which requests come call. */
export interface Requests {
  /** For a connection that node:http has just taken. */
  watch(socket: Socket): void;
  /** For a request that node:http has parsed. */
  onRequest(request: IncomingMessage, response: ServerResponse): void;
}

/** Nobody who asks for metrics sends more than that beside a request; what is read is garbage, and may fill the memory. */
const BODY_BYTES_MAX = 64 << 10;

/** Passes over what comes beside a request, and ends the connection of who sends much of it. */
function boundBody(request: IncomingMessage): void {
  const { headers, socket } = request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return;
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > BODY_BYTES_MAX) socket.destroy();
  });
}

/** Has requests answered by `handle`, whichever way they come, and keeps the table of connections. */
export function createRequests(handle: Handler, connections: Connections, log: Logger): Requests {
  const send = createSend();

  const respondTo = (ask: Ask): Respond => {
    const failed = (error: unknown): Answer => {
      log.error('request failed', { path: ask.target, err: messageOf(error) });
      return refusal(500, 'Internal Server Error');
    };
    try {
      const respond = handle(ask);
      return () => orElse(respond, failed);
    } catch (error) {
      return () => failed(error);
    }
  };

  const answerRepeat = (socket: Socket, respond: Respond, done: () => void): void => {
    if (!connections.begin(socket)) return;
    const sent = (answer: Answer): void =>
      send(socket, answer, {
        untaken: (sizeBytes) => connections.answered(socket, sizeBytes),
        progress: () => connections.progress(socket),
        ended() {
          connections.end(socket);
          answer.ended?.();
          done();
        },
      });
    andThen(respond(), sent);
  };
  const repeats = createRepeats(answerRepeat, connections.partial);

  return {
    watch: repeats.watch,
    onRequest(request, response) {
      const { socket, headers, url = '/' } = request;
      if (!connections.begin(socket)) return;
      boundBody(request);
      const { accept, authorization, 'accept-encoding': acceptEncoding } = headers;
      const respond = respondTo({ target: url, accept, acceptEncoding, authorization });
      repeats.begin(socket, request, respond);
      let isClosed = false;
      let onClose = (): void => {};
      response.once('close', () => {
        isClosed = true;
        repeats.end(socket);
        connections.end(socket);
        onClose();
      });
      andThen(respond(), (answer) => {
        // Not the event `finish`: it never comes where the client does not read.
        const isWanted = connections.answered(socket, answer.body.length);
        onClose = () => answer.ended?.();
        if (isClosed) onClose();
        else if (isWanted) sendByNode(response, answer, () => connections.progress(socket));
      });
    },
  };
}
