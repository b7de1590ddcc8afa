import { fstatSync } from 'node:fs';
import { optional, UsageError } from '../core/errors.ts';
import type { Inherited } from './listen.ts';

const FIRST_FD = 3;
/** More than any unit has: a machine's every port would need a unit of 65,535 lines. */
const SOCKETS_MAX = 1024;

/** Whether systemd hands sockets over to this process. */
export const hasSystemdSockets = (env: Readonly<Record<string, string | undefined>>, ownPid: number): boolean =>
  env['LISTEN_PID'] === String(ownPid) && Number(env['LISTEN_FDS']) > 0;

/**
 * The sockets that systemd hands over: descriptors from 3 on, where `LISTEN_PID` names this process. `sd_listen_fds(3)`
 * Throws a `UsageError` where there are none, or something that is no socket is among them.
 */
export function systemdSockets(
  env: Readonly<Record<string, string | undefined>>,
  ownPid: number,
): readonly Inherited[] {
  const { LISTEN_PID: pid, LISTEN_FDS: fds = '' } = env;
  if (pid !== String(ownPid) || !/^[1-9][0-9]*$/.test(fds))
    throw new UsageError('no socket activation file descriptors found');
  const count = Number(fds);
  if (count > SOCKETS_MAX) throw new UsageError(`LISTEN_FDS=${fds}: more than ${SOCKETS_MAX} sockets`);
  return Array.from({ length: count }, (_, i) => {
    const fd = FIRST_FD + i;
    if (optional(() => fstatSync(fd), ['EBADF'])?.isSocket() !== true)
      throw new UsageError(`LISTEN_FDS=${fds}: file descriptor ${fd} is no socket`);
    return { fd };
  });
}
