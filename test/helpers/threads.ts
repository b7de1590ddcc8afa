import { readdirSync, readFileSync } from 'node:fs';
import { parsePrivileges, type ThreadPrivileges } from '../../src/syscall/capability.ts';

/** What each thread of another process may do. */
export const threadsOf = (pid: number): ThreadPrivileges[] =>
  readdirSync(`/proc/${pid}/task`).map((thread) =>
    parsePrivileges(readFileSync(`/proc/${pid}/task/${thread}/status`, 'latin1')),
  );
