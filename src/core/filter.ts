import { UsageError } from './errors.ts';
import { type Pattern, passes } from './pattern.ts';

/** A pair of flags that name what to take and what to leave out, and the older name of the second. */
export interface FilterFlags {
  readonly include: Pattern | undefined;
  readonly exclude: Pattern | undefined;
  /** Whether `exclude` was given: its default steps back where `include` is. */
  readonly excludeGiven: boolean;
  /** The deprecated flag. It counts as `exclude` given by default: it steps back for `include` too. */
  readonly old?: Pattern | undefined;
  /** The flags' names without dashes: include, exclude, old. */
  readonly names: readonly [include: string, exclude: string, old?: string];
}

/** Whether a name passes a pair of flags. Throws a `UsageError` where they contradict. */
export function createFilter({ include, exclude, excludeGiven, old, names }: FilterFlags): (name: string) => boolean {
  const [includeName, excludeName, oldName] = names;
  if (old !== undefined && excludeGiven)
    throw new UsageError(`--${oldName} and --${excludeName} are mutually exclusive`);
  if (include !== undefined && excludeGiven && exclude !== undefined)
    throw new UsageError(`--${excludeName} and --${includeName} are mutually exclusive`);
  const left = include === undefined ? (old ?? exclude) : undefined;
  return (name) => passes(name, include, left);
}
