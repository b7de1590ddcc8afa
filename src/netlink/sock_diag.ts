import type { DumpRequest } from '../core/network.ts';
import { needBytes } from './attributes.ts';

/**
 * TCP sockets, as sock_diag lists them: `include/uapi/linux/inet_diag.h`, `include/net/tcp_states.h`.
 * https://man7.org/linux/man-pages/man7/sock_diag.7.html
 */

const SOCK_DIAG_BY_FAMILY = 20;
const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_TCP = 6;
/** A bit for each state that has a name below. TCP_NEW_SYN_RECV comes along as TCP_SYN_RECV. */
const STATES = 0xfff;

/** struct inet_diag_req_v2: family, protocol, extensions, padding (a byte each), states (u32), struct inet_diag_sockid (48 bytes). */
const REQUEST_BYTES = 56;
/** struct inet_diag_msg: family, state, timer, retransmits, struct inet_diag_sockid, expires, queues, user, inode. */
const SOCKET_BYTES = 72;

function allSockets(family: number): DumpRequest {
  const body = new Uint8Array(REQUEST_BYTES);
  body.set([family, IPPROTO_TCP]);
  new DataView(body.buffer).setUint32(4, STATES, true);
  return { type: SOCK_DIAG_BY_FAMILY, reply: SOCK_DIAG_BY_FAMILY, body };
}

/** SOCK_DIAG_BY_FAMILY for every TCP socket of a family. */
export const IPV4_SOCKETS = allSockets(AF_INET);
export const IPV6_SOCKETS = allSockets(AF_INET6);

/** By the kernel's number, which begins at 1. */
const NAMES = [
  'unknown',
  'established',
  'syn_sent',
  'syn_recv',
  'fin_wait1',
  'fin_wait2',
  'time_wait',
  'close',
  'close_wait',
  'last_ack',
  'listen',
  'closing',
] as const;

export interface SocketTotals {
  /** How many sockets are in each state, by its name; states of none are not in it. */
  readonly states: Map<string, number>;
  /** What waits to be read; of a listening socket, connections that wait to be accepted. */
  receiveQueueBytes: number;
  /** What waits for its acknowledgement; of a listening socket, how many connections may wait. */
  sendQueueBytes: number;
}

export const noSockets = (): SocketTotals => ({ states: new Map(), receiveQueueBytes: 0, sendQueueBytes: 0 });

/** Adds the socket in the bytes of `view` from `start` to `end`. */
export function addSocket(totals: SocketTotals, view: DataView, start: number, end: number): void {
  needBytes(start, end, SOCKET_BYTES);
  const state = NAMES[view.getUint8(start + 1)] ?? 'unknown';
  totals.states.set(state, (totals.states.get(state) ?? 0) + 1);
  totals.receiveQueueBytes += view.getUint32(start + 56, true);
  totals.sendQueueBytes += view.getUint32(start + 60, true);
}
