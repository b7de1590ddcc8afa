import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { andThen, type Handler, type Maybe, refusal } from './answer.ts';
import { createPasswordCheck, parseBasic } from './auth.ts';
import type { WebConfig } from './web_config.ts';

/** A bucket of `burst` tokens that gains one every `intervalMs`; the function takes one, or says that there is none. */
export function createRateLimit(intervalMs: number, burst: number, now = () => performance.now()): () => boolean {
  let tokens = burst;
  let at = now();
  return () => {
    const time = now();
    tokens = Math.min(burst, tokens + (time - at) / intervalMs);
    at = time;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  };
}

/** Puts rate limit, headers and passwords of the web configuration before `handle`, in this order. */
export async function createGuard(handle: Handler, read: () => WebConfig, log: Logger): Promise<Handler> {
  const checkPassword = await createPasswordCheck();
  const { rateLimit } = read();
  const pass = rateLimit === undefined ? () => true : createRateLimit(rateLimit.intervalMs, rateLimit.burst);
  let loggedFault = '';
  const current = (): WebConfig | undefined => {
    try {
      const config = read();
      loggedFault = '';
      return config;
    } catch (error) {
      const fault = messageOf(error);
      // Once, not with each request of whoever comes.
      if (fault !== loggedFault) log.error('web configuration cannot be used', { err: fault });
      loggedFault = fault;
      return undefined;
    }
  };
  return (ask) => {
    const respond = handle(ask);
    const given = parseBasic(ask.authorization);
    const allowed = ({ users }: WebConfig): Maybe<boolean> => {
      if (users.size === 0) return true;
      return given !== undefined && checkPassword(users, given.user, given.password);
    };
    return () => {
      const config = current();
      if (config === undefined) return refusal(500, 'Internal Server Error');
      if (!pass()) return refusal(429, 'Too Many Requests');
      const answer = andThen(allowed(config), (isAllowed) =>
        isAllowed ? respond() : refusal(401, 'Unauthorized', { 'WWW-Authenticate': 'Basic' }),
      );
      return andThen(answer, (made) => ({ ...made, headers: { ...made.headers, ...config.headers } }));
    };
  };
}
