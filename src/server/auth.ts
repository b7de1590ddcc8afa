import { createHash } from 'node:crypto';
import type { Maybe } from './answer.ts';

/** Whether a password belongs to a user; remembers what it has found out. */
export type CheckPassword = (users: ReadonlyMap<string, string>, user: string, password: string) => Maybe<boolean>;

const REMEMBERED_MAX = 100;
/** Checks that wait for one user's password. */
const WAITING_MAX = 16;

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** Reads `Authorization: Basic …`. RFC 7617. */
export function parseBasic(header: string | undefined): Credentials | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** Runs one job of a queue after the other; `undefined` where too many of it wait. Queues do not wait for each other. */
function createQueues() {
  const queues = new Map<string, { last: Promise<unknown>; waiting: number }>();
  return async <T>(name: string, job: () => Promise<T>): Promise<T | undefined> => {
    const queue = queues.get(name) ?? { last: Promise.resolve(), waiting: 0 };
    if (queue.waiting >= WAITING_MAX) return undefined;
    queues.set(name, queue);
    queue.waiting += 1;
    const done = queue.last.then(job);
    queue.last = done.catch(() => undefined);
    try {
      return await done;
    } finally {
      queue.waiting -= 1;
      if (queue.waiting === 0) queues.delete(name);
    }
  };
}

/**
 * Checks passwords with bcrypt, those of one user one at a time: each takes tens of milliseconds of CPU, or seconds where the
 * hash asks for them. With too many of them waiting the answer is no.
 */
export async function createPasswordCheck(): Promise<CheckPassword> {
  const { compare } = await import('bcryptjs');
  const remembered = new Map<string, boolean>();
  const inQueue = createQueues();

  const remember = (key: string, answer: boolean): boolean => {
    remembered.delete(key);
    const [oldest] = remembered.keys();
    if (remembered.size >= REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, answer);
    return answer;
  };
  const work = async (key: string, hash: string, password: string, isUser: boolean): Promise<boolean> => {
    const known = remembered.get(key);
    if (known !== undefined) return remember(key, known);
    const matches = await compare(password, hash);
    return remember(key, matches && isUser);
  };

  return (users, user, password) => {
    const hash = users.get(user);
    const key = createHash('sha256')
      .update(JSON.stringify([user, hash ?? '', password]))
      .digest('base64');
    const known = remembered.get(key);
    if (known !== undefined) return remember(key, known);
    // An unknown user must take as long as a known one.
    const [anyHash = ''] = users.values();
    const isUser = hash !== undefined;
    // All unknown users are one queue, which no user's name is the name of.
    return inQueue(isUser ? `user ${user}` : 'unknown', () => work(key, hash ?? anyHash, password, isUser)).then(
      (answer) => answer ?? false,
    );
  };
}
