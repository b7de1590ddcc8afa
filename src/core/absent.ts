import { hasErrno, NoDataError, REFUSED } from './errors.ts';
import type { KernelFile } from './host.ts';

/** For `ifAbsent`: there is nothing of the kind on this machine. */
export function noData(why: string): () => NoDataError {
  const reason = new NoDataError(why);
  return () => reason;
}

/** For `ifAbsent`: others write what there is. */
export const nothing = (): undefined => {};

/** What the system answers for the first of these files that may not be read: that is another thing than absence. */
export const refusalOf = (files: readonly KernelFile[]): unknown =>
  files.map((file) => file.failure()).find((failure) => hasErrno(failure, REFUSED));
