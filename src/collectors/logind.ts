import { defineCollector } from '../core/collector.ts';
import { askEach, type Basic, CallError, type Peer } from '../core/daemons.ts';
import { ParseError } from '../core/errors.ts';
import type { Faults } from '../core/faults.ts';
import { gauge } from '../core/metric.ts';

const MANAGER = 'org.freedesktop.login1.Manager';
const SESSION = 'org.freedesktop.login1.Session';
const PATH = '/org/freedesktop/login1';

const REMOTE = ['true', 'false'] as const;
/** What is not among these counts as `other`. https://www.freedesktop.org/software/systemd/man/sd_session_get_type.html */
const TYPES = ['other', 'unspecified', 'tty', 'x11', 'wayland', 'mir', 'web'] as const;
const CLASSES = ['other', 'user', 'greeter', 'lock-screen', 'background'] as const;

export interface Session {
  /** Empty where it is on none. */
  readonly seat: string;
  readonly remote: boolean;
  readonly type: string;
  readonly class: string;
}

const known = (text: Basic, words: readonly string[]): string => words.find((word) => word === text) ?? 'other';

/** Number of sessions by seat, remote, type and class: every combination, on each of the seats and on none. */
export function countSessions(
  seats: readonly string[],
  sessions: readonly Session[],
): (readonly [count: number, seat: string, remote: string, type: string, sessionClass: string])[] {
  const counts = new Map<string, number>();
  const keyOf = (...labels: readonly string[]): string => labels.join('\0');
  for (const { seat, remote, type, class: sessionClass } of sessions) {
    const key = keyOf(seat, String(remote), known(type, TYPES), known(sessionClass, CLASSES));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  return [...new Set([...seats, ''])].flatMap((seat) =>
    REMOTE.flatMap((remote) =>
      TYPES.flatMap((type) =>
        CLASSES.map((each) => [counts.get(keyOf(seat, remote, type, each)) ?? 0, seat, remote, type, each] as const),
      ),
    ),
  );
}

/** The session at `path`; `undefined` where it has ended since it was listed, or answers oddly. */
async function readSession(peer: Peer, path: string, seat: string, faults: Faults): Promise<Session | undefined> {
  try {
    const [remote, type, sessionClass] = await Promise.all(
      ['Remote', 'Type', 'Class'].map((name) => peer.property(path, SESSION, name)),
    );
    return { seat, remote: remote === true, type: String(type), class: String(sessionClass) };
  } catch (error) {
    if (!(error instanceof CallError || error instanceof ParseError)) throw error;
    if (error instanceof ParseError) faults.fault(error);
    return undefined;
  }
}

/** https://www.freedesktop.org/software/systemd/man/org.freedesktop.login1.html */
async function readSessions(peer: Peer, faults: Faults): Promise<{ seats: string[]; sessions: Session[] }> {
  const [seats, listed] = await Promise.all([
    peer.rows(PATH, MANAGER, 'ListSeats', 'so'),
    peer.rows(PATH, MANAGER, 'ListSessions', 'susso'),
  ]);
  const sessions: Session[] = [];
  await askEach(listed, async ([, , , seat, path]) => {
    const session = await readSession(peer, String(path), String(seat), faults);
    if (session !== undefined) sessions.push(session);
  });
  return { seats: seats.map(([name]) => String(name)), sessions };
}

export default defineCollector({
  name: 'logind',
  help: "Exposes the sessions that systemd's logind knows.",
  enabled: false,
  reads: ['/var/run/dbus/system_bus_socket'],
  flags: {},
  metrics: {
    sessions: gauge('node_logind_sessions', 'Number of sessions.', 'seat', 'remote', 'type', 'class'),
  },
  needs: () => ({ sockets: [{ family: 'unix' }] }),
  setup({ daemons }, metrics) {
    const ask = daemons.onBus('org.freedesktop.login1');
    return async (out, turn) => {
      const { seats, sessions } = await ask(turn.signal, (peer) => readSessions(peer, out));
      for (const [count, ...labels] of countSessions(seats, sessions)) out.sample(metrics.sessions, count, ...labels);
    };
  },
});
