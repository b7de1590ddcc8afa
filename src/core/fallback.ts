import { messageOf } from './errors.ts';
import type { Collect, Host } from './host.ts';

/** Runs `ask`, and where netlink is closed to this process runs `instead`, which is logged once by the name of what it reads. */
export function orInstead(
  { log, network }: Pick<Host, 'log' | 'network'>,
  what: string,
  ask: Collect,
  instead: Collect,
): Collect {
  let isClosed = false;
  return (out, turn) => {
    if (isClosed) return instead(out, turn);
    try {
      return ask(out, turn);
    } catch (error) {
      if (!network.isClosed(error)) throw error;
      log.warn(`netlink cannot be used: reading ${what}`, { err: messageOf(error) });
      isClosed = true;
      return instead(out, turn);
    }
  };
}
