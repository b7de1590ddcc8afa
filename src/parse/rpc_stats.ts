import { ParseError } from '../core/errors.ts';
import { fields, lines, uint } from '../core/text.ts';

/** How the values of a line are laid out. */
export type Layout =
  /** Exactly so many. */
  | { readonly kind: 'fixed'; readonly count: number }
  /** So many, and then what is not read. */
  | { readonly kind: 'leading'; readonly count: number }
  /** Their number comes first; there are `least` or more. */
  | { readonly kind: 'counted'; readonly least: number };

/**
 * Parses `/proc/net/rpc/nfs` and `/proc/net/rpc/nfsd`: lines of a label and its counters. The values by label, without
 * the number of values that counted lines begin with. A label without a layout is an error.
 * https://docs.kernel.org/filesystems/nfs/index.html (written by net/sunrpc/stats.c and fs/nfsd/stats.c)
 */
export function parseRpcStats(
  file: string,
  text: string,
  layouts: Readonly<Record<string, Layout>>,
): Map<string, readonly number[]> {
  const found = new Map<string, readonly number[]>();
  for (const line of lines(text)) {
    const [label = '', ...columns] = fields(line);
    const layout = Object.hasOwn(layouts, label) ? layouts[label] : undefined;
    const values = layout === undefined ? undefined : parseValues(columns, layout);
    if (values === undefined) throw new ParseError(file, line);
    found.set(label, values);
  }
  if (found.size === 0) throw new ParseError(file, text);
  return found;
}

function parseValues(columns: readonly string[], layout: Layout): readonly number[] | undefined {
  const read = layout.kind === 'leading' ? columns.slice(0, layout.count) : columns;
  const values: number[] = [];
  for (const column of read) {
    const value = uint(column);
    if (value === undefined) return undefined;
    values.push(value);
  }
  if (layout.kind !== 'counted') return values.length === layout.count ? values : undefined;
  const [count, ...counted] = values;
  return count === counted.length && count >= layout.least ? counted : undefined;
}

/** What NFSv2 and NFSv3 call their procedures in labels, in the order of the protocol. */
export const NFS_METHODS = {
  2: 'Null GetAttr SetAttr Root Lookup ReadLink Read WrCache Write Create Remove Rename Link SymLink MkDir RmDir ReadDir FsStat'.split(
    ' ',
  ),
  3: 'Null GetAttr SetAttr Lookup Access ReadLink Read Write Create MkDir SymLink MkNod Remove RmDir Rename Link ReadDir ReadDirPlus FsStat FsInfo PathConf Commit'.split(
    ' ',
  ),
} as const;
