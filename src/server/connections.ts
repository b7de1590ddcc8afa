import type { Socket } from 'node:net';

export interface ConnectionLimits {
  /** Connections held at once; at the limit the one makes room that has waited longest, first of those without any request. */
  readonly connectionsMax: number;
  /** From the first byte of a request (or from the connection's start) to the end of its headers; also for a body that follows. */
  readonly headersMs: number;
  /** Between requests. */
  readonly idleMs: number;
  /** For which a client may take nothing of its answer. */
  readonly answerMs: number;
  /** Of answers that clients have yet to take, of all together. Beyond it a slow client makes room, or there is no answer. */
  readonly untakenBytesMax: number;
}

export const CONNECTION_LIMITS: ConnectionLimits = {
  connectionsMax: 256,
  headersMs: 10_000,
  idleMs: 300_000,
  answerMs: 60_000,
  untakenBytesMax: 32 << 20,
};

interface Entry {
  readonly socket: Socket;
  /** Requests under way: those whose answer the client has not taken whole. */
  busy: number;
  /** Those of them for which there is no answer yet. */
  unanswered: number;
  /** When it began to wait: for a request, or for the client to take more of its answers. */
  since: number;
  /** Bytes of answers handed over and not known to be taken. */
  untakenBytes: number;
  /** When the last of them was made. */
  madeAt: number;
  /** When a part of a request came whose rest has not come; from the start for a fresh connection. */
  partialSince: number | undefined;
  /** Whether a request on it has been answered: whoever holds it is less suspect than who has only connected. */
  proven: boolean;
  readonly address: string;
}

/** Every open connection. What waits too long is closed; requests under way are never disturbed. */
export interface Connections {
  /** Takes a connection in; `false` when it was refused, since every place is taken by requests under way. */
  add(socket: Socket): boolean;
  /**
   * A request has arrived on the connection (below TLS it is the same one by its addresses). `false` when it was closed,
   * since more requests were sent on it ahead of their answers than anybody needs.
   */
  begin(socket: Socket): boolean;
  /** A part of a request has arrived, whose rest is waited for. */
  partial(socket: Socket): void;
  /**
   * An answer of so many bytes is made; the client has yet to take it. `false` when the connection was closed instead, since too
   * much waits for other clients.
   */
  answered(socket: Socket, sizeBytes: number): boolean;
  /** The client has taken a part of it. */
  progress(socket: Socket): void;
  /** Closes a connection whose client does not take its answer; `false` where there is none. */
  dropSlow(): boolean;
  /** A client has taken an answer whole, or it has gone. */
  end(socket: Socket): void;
  readonly size: number;
  /** Closes what waits at once and the others when they are answered; resolves when nothing is left or the time is over. */
  drain(withinMs: number): Promise<void>;
}

/** Who takes nothing of an answer for so long from its beginning is slow: the place may be given to another. */
const SLOW_MS = 1000;
/** The same for who has taken a part. The kernel holds some megabytes, of which it says only when a third is gone. */
const SLOW_AGAIN_MS = 15_000;
/** Requests on one connection. Each has its answer held in memory until those before it are taken. */
const BUSY_MAX = 16;

const destroyAll = (entries: Iterable<Entry>): void => {
  for (const { socket } of [...entries]) socket.destroy();
};

const addressOf = (socket: Socket): string =>
  `${socket.localAddress} ${socket.localPort} ${socket.remoteAddress} ${socket.remotePort}`;

/** When the connection is closed if nothing happens on it. */
function deadlineOf({ busy, unanswered, since, partialSince }: Entry, limits: ConnectionLimits): number {
  if (unanswered > 0) return Number.POSITIVE_INFINITY;
  if (busy > 0) return since + limits.answerMs;
  return partialSince === undefined ? since + limits.idleMs : partialSince + limits.headersMs;
}

type Table = ReturnType<typeof createTable>;

/** Calls `fire` at the earliest of the times it is armed for. No other time wakes the process. */
function createAlarm(now: () => number, fire: () => void) {
  let timer: NodeJS.Timeout | undefined;
  let at = Number.POSITIVE_INFINITY;
  const disarm = (): void => {
    clearTimeout(timer);
    at = Number.POSITIVE_INFINITY;
  };
  return {
    disarm,
    arm(time: number): void {
      if (time >= at) return;
      clearTimeout(timer);
      at = time;
      const ring = (): void => {
        disarm();
        fire();
      };
      timer = setTimeout(ring, Math.ceil(time - now())).unref();
    },
  };
}

/** Resolves when `arm`'s function is called, or with `late` run when the time is over. */
const within = (ms: number, arm: (done: () => void) => void, late: () => void): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(() => {
      late();
      resolve();
    }, ms);
    arm(() => {
      clearTimeout(timer);
      resolve();
    });
  });

/** The entries, found by socket or by address, those that wait apart from those that are busy. */
function createTable(onEmpty: () => void) {
  const bySocket = new Map<Socket, Entry>();
  // For TLS: what carries the request is another object than what was accepted, with the same addresses.
  const byAddress = new Map<string, Entry>();
  // In the order in which they began to wait.
  const waiting = new Set<Entry>();
  const remove = (entry: Entry): void => {
    if (!bySocket.delete(entry.socket)) return;
    if (byAddress.get(entry.address) === entry) byAddress.delete(entry.address);
    waiting.delete(entry);
    if (bySocket.size === 0) onEmpty();
  };
  return {
    bySocket,
    waiting,
    remove,
    find: (socket: Socket): Entry | undefined => bySocket.get(socket) ?? byAddress.get(addressOf(socket)),
    insert(entry: Entry): void {
      bySocket.set(entry.socket, entry);
      if (entry.socket.remotePort !== undefined) byAddress.set(entry.address, entry);
      waiting.add(entry);
      entry.socket.once('close', () => remove(entry));
    },
    /** Makes sure that one more can be inserted within `max`, at the cost of one that waits. */
    makeRoom(max: number): boolean {
      if (bySocket.size < max) return true;
      const [oldest] = waiting;
      const longest = waiting.values().find(({ proven }) => !proven) ?? oldest;
      if (longest === undefined) return false;
      remove(longest);
      longest.socket.destroy();
      return true;
    },
  };
}

/** What of an entry says whether its client takes answers. */
export type Waiting = Pick<Entry, 'unanswered' | 'since' | 'untakenBytes' | 'madeAt'> & {
  readonly socket: Pick<Socket, 'destroyed' | 'destroy'>;
};

const isUntaken = ({ socket, untakenBytes }: Waiting): boolean => untakenBytes > 0 && !socket.destroyed;

/**
 * The connection of a client that does not take its answer: the one whose answer was made last, since those before it have shown
 * more patience. Whoever takes answers is spared, but for a long time of nothing. With `onlyLast` none but the last is asked for:
 * where there is room for few answers, the first among them would be next as soon as the last is a new one.
 */
export function slowOf(entries: Iterable<Waiting>, time: number, onlyLast = false): Waiting | undefined {
  const made = [...entries]
    .filter((entry) => isUntaken(entry) && entry.unanswered === 0)
    .sort((a, b) => b.madeAt - a.madeAt);
  const waits = (entry: Waiting, ms: number): boolean => time - entry.since >= ms;
  const idle = made.filter((entry) => !takes(entry)).slice(0, onlyLast ? 1 : undefined);
  return idle.find((entry) => waits(entry, SLOW_MS)) ?? made.find((entry) => waits(entry, SLOW_AGAIN_MS));
}

/** Whether a client takes its answers: what it has taken soon after they were made may have gone into the kernel's buffers alone. */
const takes = ({ since, madeAt }: Waiting): boolean => since - madeAt >= SLOW_MS;

const untakenBytesOf = (entries: Iterable<Entry>): number =>
  Iterator.from(entries)
    .filter(isUntaken)
    .reduce((sum, { untakenBytes }) => sum + untakenBytes, 0);

/** The part of the table that is about answers which clients have yet to take. */
function createTaking(
  { bySocket, find }: Table,
  { untakenBytesMax }: ConnectionLimits,
  now: () => number,
  onWait: (entry: Entry) => void,
): Pick<Connections, 'answered' | 'progress' | 'dropSlow'> {
  const drop = (onlyLast: boolean): boolean => {
    const slow = slowOf(bySocket.values(), now(), onlyLast);
    slow?.socket.destroy();
    return slow !== undefined;
  };
  return {
    answered(socket, sizeBytes) {
      const entry = find(socket);
      if (entry === undefined) return !socket.destroyed;
      entry.unanswered -= 1;
      // One answer is never too much, however large.
      for (;;) {
        const bytes = untakenBytesOf(bySocket.values());
        if (bytes === 0 || bytes + sizeBytes <= untakenBytesMax) break;
        if (drop(true)) continue;
        entry.socket.destroy();
        return false;
      }
      entry.since = now();
      entry.madeAt = entry.since;
      entry.untakenBytes += sizeBytes;
      onWait(entry);
      return true;
    },
    progress(socket) {
      const entry = find(socket);
      if (entry !== undefined) entry.since = now();
    },
    dropSlow: () => drop(false),
  };
}

/** An entry for a connection that has just come. */
const entryOf = (socket: Socket, time: number): Entry => ({
  socket,
  address: addressOf(socket),
  busy: 0,
  unanswered: 0,
  since: time,
  untakenBytes: 0,
  madeAt: time,
  partialSince: time,
  proven: false,
});

export function createConnections(limits: ConnectionLimits, now = () => performance.now()): Connections {
  let draining: (() => void) | undefined;
  const table = createTable(() => {
    alarm.disarm();
    draining?.();
  });
  const { bySocket, waiting } = table;
  const deadline = (entry: Entry): number => deadlineOf(entry, limits);
  const alarm = createAlarm(now, () => {
    const time = now();
    const entries = [...bySocket.values()];
    destroyAll(entries.filter((entry) => deadline(entry) <= time));
    const next = Math.min(...entries.map(deadline).filter((each) => each > time));
    if (next < Number.POSITIVE_INFINITY) alarm.arm(next);
  });
  const taking = createTaking(table, limits, now, (entry) => alarm.arm(deadline(entry)));
  return {
    get size() {
      return bySocket.size;
    },
    add(socket) {
      if (draining !== undefined) return false;
      if (!table.makeRoom(limits.connectionsMax) && !taking.dropSlow()) return false;
      const entry = entryOf(socket, now());
      table.insert(entry);
      alarm.arm(deadline(entry));
      return true;
    },
    begin(socket) {
      const entry = table.find(socket);
      if (entry === undefined) return true;
      if (entry.busy >= BUSY_MAX) {
        entry.socket.destroy();
        return false;
      }
      entry.busy += 1;
      entry.unanswered += 1;
      waiting.delete(entry);
      return true;
    },
    partial(socket) {
      const entry = table.find(socket);
      if (entry === undefined || entry.busy > 0) return;
      entry.partialSince ??= now();
      alarm.arm(deadline(entry));
    },
    ...taking,
    end(socket) {
      const entry = table.find(socket);
      if (entry === undefined) return;
      entry.busy -= 1;
      // What is taken at once is answered and ended in one.
      entry.unanswered = Math.min(entry.unanswered, entry.busy);
      entry.since = now();
      if (entry.busy > 0) return;
      entry.untakenBytes = 0;
      entry.partialSince = undefined;
      entry.proven = true;
      waiting.add(entry);
      alarm.arm(deadline(entry));
      if (draining !== undefined) socket.destroySoon();
    },
    drain(withinMs) {
      const arm = (done: () => void): void => {
        draining = done;
      };
      const drained = within(withinMs, arm, () => destroyAll(bySocket.values()));
      if (bySocket.size === 0) draining?.();
      destroyAll(waiting);
      return drained;
    },
  };
}
