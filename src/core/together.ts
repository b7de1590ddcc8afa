import type { Faults } from './faults.ts';
import type { Beside } from './host.ts';

/** What depends on all devices together, such as labels that must differ: made again when what `look` answers is another. */
export function together<P, T>(
  look: (faults?: Faults) => readonly P[],
  make: (parts: readonly P[]) => T,
): Beside & { readonly made: T } {
  let before = '';
  let version = 0;
  let made = make([]);
  return {
    get version() {
      return version;
    },
    get made() {
      return made;
    },
    tryRead(faults) {
      const parts = look(faults);
      const now = parts.join('\n');
      if (now === before) return true;
      before = now;
      version += 1;
      made = make(parts);
      return true;
    },
  };
}
