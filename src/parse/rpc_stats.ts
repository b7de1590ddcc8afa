import type { Line, Lines } from '../core/host.ts';
import type { Reading } from '../core/reading.ts';
import type { LayoutWriter } from '../core/writer.ts';

/** How the values of a line are laid out. */
export type Layout =
  /** Exactly so many. */
  | { readonly kind: 'fixed'; readonly count: number }
  /** So many, and then what is not read. */
  | { readonly kind: 'leading'; readonly count: number }
  /** Their number comes first; there are `least` or more. */
  | { readonly kind: 'counted'; readonly least: number };

/** What the lines say, by their labels. */
export interface RpcStats {
  /** The counter at a place of a line; `undefined` where there is none. */
  at(label: string, place: number): Reading | undefined;
  /** The same, where a line or a place that the kernel does not know counts nothing; `undefined` where the line is odd. */
  orNone(label: string, place: number): Reading | number | undefined;
}

/**
 * Reads `/proc/net/rpc/nfs` and `/proc/net/rpc/nfsd`: lines of a label and its counters, without the number of values that
 * counted lines begin with. A label without a layout is one that a newer kernel has: it is passed over.
 * https://docs.kernel.org/filesystems/nfs/index.html (written by net/sunrpc/stats.c and fs/nfsd/stats.c)
 */
export function rpcStatsOf(lines: Lines, layouts: Readonly<Record<string, Layout>>, out: LayoutWriter): RpcStats {
  const found = new Map<string, readonly Reading[]>();
  const odd = new Set<string>();
  lines.each((line) => {
    const label = line.find(0) ?? '';
    const layout = Object.hasOwn(layouts, label) ? layouts[label] : undefined;
    if (layout === undefined) {
      if (label !== '') out.passedOver(`the line ${label}`);
      return;
    }
    odd.add(label);
    found.set(label, countersOf(line, layout));
    odd.delete(label);
  });
  const at = (label: string, place: number): Reading | undefined => found.get(label)?.[place];
  return { at, orNone: (label, place) => at(label, place) ?? (odd.has(label) ? undefined : 0) };
}

function countersOf(line: Line, layout: Layout): readonly Reading[] {
  const readings = (first: number, count: number): Reading[] =>
    Array.from({ length: count }, (_, i) => line.uint(first + i));
  if (layout.kind === 'leading') return readings(1, layout.count);
  const count = line.length - 1;
  if (layout.kind === 'fixed') {
    if (count !== layout.count) throw line.fault();
    return readings(1, count);
  }
  // How many follow is a word: another number is another layout.
  const counted = Number(line.word(1));
  if (counted !== count - 1 || counted < layout.least) throw line.fault();
  return readings(2, counted);
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
