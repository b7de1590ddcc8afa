import { readdirSync, readFileSync } from 'node:fs';
import { optional } from '../../src/core/errors.ts';
import { parsePrivileges, type ThreadPrivileges } from '../../src/syscall/capability.ts';

/** What each thread of another process may do. */
export const threadsOf = (pid: number): ThreadPrivileges[] =>
  readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
    // One that ends meanwhile is none.
    const status = optional(() => readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1'), ['ENOENT', 'ESRCH']);
    return status === undefined ? [] : [parsePrivileges(status)];
  });
