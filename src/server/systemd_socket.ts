import { UsageError } from '../core/errors.ts';
import type { Inherited } from './listen.ts';

const FIRST_FD = 3;
/** More than any unit hands over. */
const COUNT_MAX = 1024;

/** The sockets that systemd hands over: descriptors from 3 on, where `LISTEN_PID` names this process. `sd_listen_fds(3)` */
export function systemdSockets(
  env: Readonly<Record<string, string | undefined>>,
  ownPid: number,
): readonly Inherited[] {
  const { LISTEN_PID: pid, LISTEN_FDS: fds = '' } = env;
  const count = Number(fds);
  if (pid !== String(ownPid) || !Number.isSafeInteger(count) || count <= 0)
    throw new UsageError('no socket activation file descriptors found');
  if (count > COUNT_MAX) throw new UsageError(`LISTEN_FDS=${fds}: more than ${COUNT_MAX} sockets`);
  return Array.from({ length: count }, (_, i) => ({ fd: FIRST_FD + i }));
}
