import type { Lines } from '../core/host.ts';
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

/**
 * Reads `/proc/net/rpc/nfs` and `/proc/net/rpc/nfsd`: lines of a label and its counters. The values by label, without the
 * number of values that counted lines begin with. A label without a layout is one that a newer kernel has: it is passed over.
 * https://docs.kernel.org/filesystems/nfs/index.html (written by net/sunrpc/stats.c and fs/nfsd/stats.c)
 */
export function rpcStatsOf(
  lines: Lines,
  layouts: Readonly<Record<string, Layout>>,
  out: LayoutWriter,
): Map<string, readonly Reading[]> {
  const found = new Map<string, readonly Reading[]>();
  lines.each((line) => {
    const label = line.find(0) ?? '';
    const layout = Object.hasOwn(layouts, label) ? layouts[label] : undefined;
    if (layout === undefined) {
      if (label !== '') out.passedOver(`the line ${label}`);
      return;
    }
    const count = layout.kind === 'leading' ? Math.min(layout.count, line.length - 1) : line.length - 1;
    if (layout.kind !== 'counted') {
      if (count !== layout.count) throw line.fault();
      found.set(
        label,
        Array.from({ length: count }, (_, i) => line.uint(i + 1)),
      );
      return;
    }
    // How many follow is a word: another number is another layout.
    const counted = Number(line.word(1));
    if (counted !== count - 1 || counted < layout.least) throw line.fault();
    found.set(
      label,
      Array.from({ length: counted }, (_, i) => line.uint(i + 2)),
    );
  });
  return found;
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
