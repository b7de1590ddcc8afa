import { NoDataError } from './errors.ts';

/** For `ifAbsent`: there is nothing of the kind on this machine. */
export function noData(why: string): () => NoDataError {
  const reason = new NoDataError(why);
  return () => reason;
}

/** For `ifAbsent`: others write what there is. */
export const nothing = (): undefined => {};
