import { NoDataError } from './errors.ts';

/** For `ifAbsent`: there is nothing of the kind on this machine. */
export const noData = (why: string) => (): never => {
  throw new NoDataError(why);
};

/** For `ifAbsent`: others write what there is. */
export const nothing = (): void => {};
