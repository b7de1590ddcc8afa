import type { Tree } from '../core/host.ts';

export interface CpuFolder {
  /** `devices/system/cpu/cpu12` */
  readonly path: string;
  readonly number: number;
}

/**
 * The CPUs that have a folder in sysfs, online or not, in order of the folders' names: `cpu10` before `cpu2`.
 * https://docs.kernel.org/admin-guide/cputopology.html
 */
export function cpuFolders(sys: Tree): CpuFolder[] {
  const all = 'devices/system/cpu';
  const folders: CpuFolder[] = [];
  for (const name of sys.list(all)) {
    const number = /^cpu([0-9]+)$/.exec(name)?.[1];
    if (number !== undefined) folders.push({ path: `${all}/${name}`, number: Number(number) });
  }
  if (folders.length === 0) throw new Error(`${sys.path(all)}: no CPUs`);
  return folders;
}
