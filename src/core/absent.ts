import { NoDataError } from './errors.ts';

/** For `ifAbsent`: there is nothing of the kind on this machine. */
export const noData = (why: string) => (): never => {
  throw new NoDataError(why);
};

/** 1 where a word is the one that is wanted, 0 where it is another, and nothing where there is no word. */
export const oneIf = (word: string | undefined, wanted: string): number | undefined =>
  word === undefined ? undefined : Number(word === wanted);

/** For `ifAbsent`: others write what there is. */
export const nothing = (): void => {};
