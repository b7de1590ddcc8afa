import { createHash } from 'node:crypto';
import type { Maybe } from './answer.ts';

/** Whether a password belongs to a user; remembers what it has found out. */
export type CheckPassword = (users: ReadonlyMap<string, string>, user: string, password: string) => Maybe<boolean>;

const REMEMBERED_MAX = 100;
const WAITING_MAX = 64;

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

/**
 * Checks passwords with bcrypt, one at a time: each takes tens of milliseconds of CPU. With too many of them waiting the
 * answer is no.
 */
export async function createPasswordCheck(): Promise<CheckPassword> {
  const { compare } = await import('bcryptjs');
  const remembered = new Map<string, boolean>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

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

  const check = async (key: string, hash: string, password: string, isUser: boolean): Promise<boolean> => {
    if (waiting >= WAITING_MAX) return false;
    waiting += 1;
    const checked = last.then(() => work(key, hash, password, isUser));
    last = checked.catch(() => undefined);
    try {
      return await checked;
    } finally {
      waiting -= 1;
    }
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
    return check(key, hash ?? anyHash, password, hash !== undefined);
  };
}
