import { isRefusal } from './errors.ts';
import type { KernelFile } from './host.ts';

/** Files that a layout has looked at besides its own, with the version that each had then. */
export type FilesBeside = ReadonlyMap<KernelFile, number>;

/** Reads files, and answers whether one has another content than was seen. */
export function hasOther(files: FilesBeside): boolean {
  for (const [file, version] of files) {
    try {
      file.tryRead();
    } catch (error) {
      // Whether that is of any account shows in a layout, which may not need this file any more.
      if (isRefusal(error)) return true;
      throw error;
    }
    if (file.version !== version) return true;
  }
  return false;
}

/** Closes what no layout needs any more: names of devices are new for ever. */
export function closeUnused(before: readonly FilesBeside[], now: readonly FilesBeside[]): void {
  const used = new Set(now.flatMap((files) => [...files.keys()]));
  for (const files of before) for (const file of files.keys()) if (!used.has(file)) file.close();
}
