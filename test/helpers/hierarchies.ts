import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Hierarchy {
  /** Where its root is mounted. */
  readonly path: string;
  /** Of version 1 what it is mounted with, of version 2 what its root offers. */
  readonly controllers: readonly string[];
}

/**
 * The control group hierarchies that are mounted here: one for all (version 2), one for each controller (version 1), or both.
 * Groups that other programs have left below a root are none.
 */
export function hierarchies(): Hierarchy[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, path = '', type = '', options = ''] = /^(?:\S+ ){4}(\S+) .* - (cgroup2?) \S+ (\S+)$/.exec(line) ?? [];
      if (!path.startsWith('/sys/fs/cgroup')) return [];
      const controllers =
        type === 'cgroup'
          ? options.split(',')
          : readFileSync(join(path, 'cgroup.controllers'), 'utf8').trim().split(' ');
      return [{ path, controllers }];
    });
}

/** Why no group can be given this controller here, or `false`. */
export function lacksController(name: string): string | false {
  const found = hierarchies().some(({ controllers }) => controllers.includes(name));
  return found ? false : `no hierarchy below /sys/fs/cgroup has the controller ${name}`;
}

/** A group of this name below each root. */
export const groupsNamed = (name: string): string[] => hierarchies().map(({ path }) => join(path, name));
