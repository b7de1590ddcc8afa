import type { DumpRequest } from '../core/network.ts';
import {
  attributeAfter,
  attributeType,
  needBytes,
  textOf,
  u64At,
  u64Of,
  valueEnd,
  valueStart,
  walkNested,
} from './attributes.ts';

/**
 * Queueing disciplines, as rtnetlink lists them: `include/uapi/linux/rtnetlink.h`, `pkt_sched.h`, `gen_stats.h`. What parses a
 * message takes the bytes of `view` from `start` to `end`, without the message's head. https://man7.org/linux/man-pages/man8/tc.8.html
 */

/** struct tcmsg: family, padding (3), index (s32), handle, parent, info (u32 each). */
const HEAD_BYTES = 20;

const TCA_KIND = 1;
const TCA_STATS2 = 7;
const TCA_STATS_BASIC = 1;
const TCA_STATS_QUEUE = 3;
const TCA_STATS_PKT64 = 8;
/** struct gnet_stats_basic: bytes (u64), packets (u32). */
const BASIC_BYTES = 12;
/** struct gnet_stats_queue: queue length, backlog, drops, requeues, overlimits (u32 each). */
const QUEUE_BYTES = 20;
/** Parents of what stands at a device's root. */
const NO_PARENT = 0;
const TC_H_ROOT = 0xffffffff;

/** RTM_GETQDISC for every device. */
export const ALL_QDISCS: DumpRequest = { type: 38, reply: 36, body: new Uint8Array(HEAD_BYTES) };

export interface QdiscCounts {
  bytes: number;
  packets: number;
  drops: number;
  requeues: number;
  overlimits: number;
  queueLength: number;
  backlogBytes: number;
}

export interface Qdisc extends QdiscCounts {
  /** Of the device. */
  readonly index: number;
  /** Such as `fq_codel`. */
  readonly kind: string;
}

function takeCounts(counts: QdiscCounts, view: DataView, statistics: number): void {
  walkNested(view, statistics, (type, at) => {
    const start = valueStart(at);
    if (type === TCA_STATS_BASIC) {
      needBytes(start, valueEnd(view, at), BASIC_BYTES);
      counts.bytes = u64At(view, start);
      counts.packets = view.getUint32(start + 8, true);
    } else if (type === TCA_STATS_PKT64) {
      // Comes after the other, where 32 bits have become too few.
      counts.packets = u64Of(view, at);
    } else if (type === TCA_STATS_QUEUE) {
      needBytes(start, valueEnd(view, at), QUEUE_BYTES);
      counts.queueLength = view.getUint32(start, true);
      counts.backlogBytes = view.getUint32(start + 4, true);
      counts.drops = view.getUint32(start + 8, true);
      counts.requeues = view.getUint32(start + 12, true);
      counts.overlimits = view.getUint32(start + 16, true);
    }
  });
}

/** Reads the queueing discipline at a device's root; `undefined` for one below another, at a device's ingress, or without counters. */
export function parseRootQdisc(view: DataView, start: number, end: number): Qdisc | undefined {
  needBytes(start, end, HEAD_BYTES);
  const parent = view.getUint32(start + 12, true);
  if (parent !== NO_PARENT && parent !== TC_H_ROOT) return undefined;
  const counts = { bytes: 0, packets: 0, drops: 0, requeues: 0, overlimits: 0, queueLength: 0, backlogBytes: 0 };
  let kind = '';
  let counted = false;
  for (let at = start + HEAD_BYTES, after = at; at < end; at = after) {
    after = attributeAfter(view, at, end);
    const type = attributeType(view, at);
    if (type === TCA_KIND) kind = textOf(view, at);
    else if (type === TCA_STATS2) {
      takeCounts(counts, view, at);
      counted = true;
    }
  }
  return counted ? { index: view.getInt32(start + 4, true), kind, ...counts } : undefined;
}
