import { messageOf } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { createPasswordCheck, parseBasic } from './auth.ts';
import { type Handler, refuse } from './handler.ts';
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
  return async (request, response) => {
    let config: WebConfig;
    try {
      config = read();
    } catch (error) {
      log.error('web configuration cannot be used', { err: messageOf(error) });
      return refuse(response, 500, 'Internal Server Error');
    }
    if (!pass()) return refuse(response, 429, 'Too Many Requests');
    for (const [name, value] of Object.entries(config.headers)) response.setHeader(name, value);
    if (config.users.size > 0) {
      const given = parseBasic(request.headers.authorization);
      const allowed = given !== undefined && (await checkPassword(config.users, given.user, given.password));
      if (!allowed) return refuse(response, 401, 'Unauthorized', { 'WWW-Authenticate': 'Basic' });
    }
    return handle(request, response);
  };
}
