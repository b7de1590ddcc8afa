/** Other programs that answer: the part of `Host` that is neither a file nor the kernel's. Nothing is opened before it is asked. */
export interface Daemons {
  /** Who has this name on the system bus. Throws a `UsageError` where the environment names a bus that cannot be. */
  onBus(name: string): AskDaemon;
  /** systemd, on its own socket or on the bus. */
  systemd(isPrivate: boolean): AskDaemon;
  /** Asks a server once, and waits a second at most. */
  askNtp(server: NtpServer, signal: AbortSignal): Promise<NtpReply>;
  /** The server at this URL. Throws a `UsageError` for one that cannot be asked. */
  xmlRpc(url: string): CallXmlRpc;
}

/** Opens a connection for `use`, ends it with it, and at the latest with `signal`. */
export type AskDaemon = <T>(signal: AbortSignal, use: (peer: Peer) => Promise<T>) => Promise<T>;

/** What who was asked answers instead of doing it. */
export class CallError extends Error {
  override readonly name = 'CallError';
}

/** A system bus keeps no more than 128 calls of a connection waiting. */
const AT_A_TIME = 100;

/** Asks something of each, of so many together, so that few packets go and few come. */
export async function askEach<T>(items: readonly T[], ask: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += AT_A_TIME) await Promise.all(items.slice(at, at + AT_A_TIME).map(ask));
}

/** One who is asked over D-Bus. What it refuses rejects as a `CallError`. */
export interface Peer {
  /** The rows that a method without arguments returns; `types` are those of a row's members. */
  rows(path: string, iface: string, method: string, types: string): Promise<readonly (readonly Basic[])[]>;
  property(path: string, iface: string, name: string): Promise<Basic>;
}

/** A value of a basic type. Of 64 bits it is exact up to 2^53. */
export type Basic = string | number | boolean;

export interface NtpServer {
  /** An address, or a name that is looked up at every question. */
  readonly host: string;
  readonly port: number;
  readonly version: number;
  /** How many hops a request may take; 0 leaves it to the system. */
  readonly ttl: number;
}

/** A reply, and when by our own clock the request went and the reply came. */
export interface NtpReply {
  readonly packet: NtpPacket;
  readonly sent: NtpTime;
  readonly received: NtpTime;
}

/** What a server says of its clock. Times in seconds. */
export interface NtpPacket {
  /** 0 none, 1 and 2 a leap second to insert or to leave out at the end of the day, 3 not synchronised. */
  readonly leap: number;
  readonly mode: number;
  /** 1 has a clock of its own, 16 is not synchronised, 0 refuses. */
  readonly stratum: number;
  readonly rootDelay: number;
  readonly rootDispersion: number;
  readonly reference: NtpTime;
  readonly origin: NtpTime;
  readonly receive: NtpTime;
  readonly transmit: NtpTime;
}

/** A time of NTP: 2^-32 seconds since 1900, or since the era that began in 2036 (and every 136 years) with 0. */
export type NtpTime = bigint;

/** Calls a method that takes no arguments. */
export type CallXmlRpc = (method: string, signal: AbortSignal) => Promise<XmlRpcValue>;

/** What XML-RPC can say. http://xmlrpc.com/spec.md; `nil` and `i8` are common additions. */
export type XmlRpcValue = string | number | boolean | null | readonly XmlRpcValue[] | XmlRpcStruct;
export interface XmlRpcStruct {
  readonly [member: string]: XmlRpcValue | undefined;
}

export const isStruct = (value: XmlRpcValue | undefined): value is XmlRpcStruct =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
