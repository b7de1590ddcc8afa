import type { Collect, KernelFile } from './host.ts';
import type { Reading } from './reading.ts';
import type { LayoutWriter } from './writer.ts';

/**
 * A netlink message while it is laid out: its head, and its attributes by their type. What is absent is `undefined`. Words are
 * compared at every scrape, numbers are taken.
 */
export interface Message {
  /** A number of the head, by where it stands. */
  head(offset: number, width: 2 | 4): Reading;
  headWord(offset: number): number;
  u8(type: number): Reading | undefined;
  u32(type: number): Reading | undefined;
  /** The number at a place of an attribute that holds many of 64 bits, or of 32. */
  u64At(type: number, index: number): Reading | undefined;
  u32At(type: number, index: number): Reading | undefined;
  u8Word(type: number): number | undefined;
  u32Word(type: number): number | undefined;
  /** Up to the zero that ends it. */
  text(type: number): string | undefined;
  bytes(type: number): Buffer | undefined;
  /** The text of a file that cannot change as long as the message's thing is there; looked at again as `Lines.fixed`. */
  fixed(file: KernelFile): string | undefined;
}

export type MessageLayout = (message: Message, out: LayoutWriter) => void;

/** A table that can be laid out again although its messages are the same. */
export type MessageTable = Collect & { forget(): void };

/** The messages that answer a question, which is asked at most once in a scrape, whoever wants to know. */
export interface Messages {
  /** Lays out each message alone, and follows it. */
  table(layout: MessageLayout): MessageTable;
  /** Asks, and goes over the messages: the bytes of `view` from `start` to `end`, which may not be kept. */
  each(visit: (view: DataView, start: number, end: number) => void): void;
}

export interface DumpRequest {
  /** The type of the message to send, such as RTM_GETLINK. */
  readonly type: number;
  /** The type of the messages that answer; others are passed over. */
  readonly reply: number;
  /** What follows the head of the message to send. */
  readonly body: Uint8Array;
}

/** Takes what follows the head of one message: the bytes of `view` from `start` to `end`, which it may not keep. */
export type Parse<T> = (view: DataView, start: number, end: number) => T | undefined;

/** Adds what follows the head of one message to `state`. */
export type Fold<S> = (state: S, view: DataView, start: number, end: number) => void;

/** Questions to the kernel about all things of a kind. Nothing here waits: a dump is memory of the kernel. */
export interface Dumps {
  /** What `parse` makes of each message, in the kernel's order, from one consistent list. */
  dump<T>(request: DumpRequest, parse: Parse<T>): T[];
  /** As `dump`, into what `begin` makes. A list that is asked for again begins again. */
  fold<S>(request: DumpRequest, begin: () => S, take: Fold<S>): S;
}

/** What the kernel says of the network by netlink. What is closed to this process throws, see `isClosed`. */
export interface Network {
  /** RTM_GETLINK: every network device. */
  readonly links: Messages;
  /** RTM_GETADDR */
  readonly addresses: Messages;
  /** RTM_GETNEIGH of IPv4 */
  readonly neighbours: Messages;
  /** ETHTOOL_MSG_LINKMODES_GET; throws ENOENT where the kernel has no ethtool over netlink. */
  readonly linkModes: Messages;
  /** Whatever else is asked, by NETLINK_ROUTE, NETLINK_GENERIC and NETLINK_SOCK_DIAG. */
  readonly route: Dumps;
  readonly generic: Dumps;
  readonly sockets: Dumps;
  /** The name of a device by its index; `undefined` when it is gone. */
  deviceName(index: number): string | undefined;
  /** Whether an error says that netlink cannot be used in this process at all. */
  isClosed(error: unknown): boolean;
}
