import { ParseError, unlessOdd } from '../core/errors.ts';
import { fields, lines, uint } from '../core/text.ts';

/** One line `xprt:`: a connection to the server. */
export interface NfsTransport {
  /** `tcp`, `udp` or `rdma`. */
  readonly protocol: string;
  readonly binds: number;
  readonly connects: number;
  readonly idleSeconds: number;
  readonly sends: number;
  readonly receives: number;
  readonly badIds: number;
  readonly backlog: number;
  /** These three are 0 in statvers 1.0 and of RDMA, where the kernel does not tell them. */
  readonly slots: number;
  readonly sending: number;
  readonly pending: number;
}

export interface NfsOperation {
  readonly name: string;
  readonly requests: number;
  readonly transmissions: number;
  readonly timeouts: number;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly queueMs: number;
  readonly responseMs: number;
  readonly requestMs: number;
}

/** One NFS mount of `/proc/<pid>/mountstats`. Texts are as the kernel wrote them, with its escapes. */
export interface NfsMount {
  /** Its place among all mounts, which is the same in mountinfo. */
  readonly index: number;
  readonly device: string;
  readonly mountPoint: string;
  readonly ageSeconds: number | undefined;
  /** The numbers of the line `bytes:`, empty where there is none. */
  readonly bytes: readonly number[];
  /** The numbers of the line `events:` but the waits for congestion, which are no longer counted; empty where there is none. */
  readonly events: readonly number[];
  /** `tcp`, `udp` or `rdma`, of the first connection, or of the options where no connection can be read. */
  readonly protocol: string | undefined;
  /** By their numbers; `undefined` where the line is odd. */
  readonly transports: readonly (NfsTransport | undefined)[];
  readonly operations: readonly NfsOperation[];
}

const FILE = 'mountstats';
const BYTES_FIELDS = 8;
const EVENTS_FIELDS = 27;
const EVENTS_FIELDS_BEFORE_PNFS = 25;
const CONGESTION_WAIT = 18;
const OPERATION_FIELDS = 8;
/** Fields behind the protocol, by statvers; a kernel may add to them. */
const TRANSPORT_FIELDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '1.0': { tcp: 10, udp: 7 },
  '1.1': { tcp: 13, udp: 10, rdma: 10 },
};
const PROTOCOLS = ['tcp', 'udp', 'rdma'] as const;
/** `opts: rw,vers=4.2,proto=tcp6,…` */
const PROTOCOL_OPTION = /(?:^|,)proto=(tcp|udp|rdma)6?(?:,|$)/;
const EXACT_MAX = 2 ** 53;

function numbersOf(texts: readonly string[], atLeast: number, line: string): number[] {
  const numbers = texts.map(uint);
  if (numbers.length < atLeast || numbers.includes(undefined)) throw new ParseError(FILE, line);
  return numbers as number[];
}

/** Kernels before 2.6.39 know no pNFS, and count less. */
function eventsOf(texts: readonly string[], line: string): number[] {
  const atLeast = texts.length === EVENTS_FIELDS_BEFORE_PNFS ? EVENTS_FIELDS_BEFORE_PNFS : EVENTS_FIELDS;
  return numbersOf(texts, atLeast, line).toSpliced(CONGESTION_WAIT, 1);
}

/** The times of the kernel wrap at 2^64; beyond 2^53 they are cut to what a double holds exactly. */
function cut(text: string | undefined, number: number): number {
  return number < EXACT_MAX ? number : Number(BigInt(text as string) % BigInt(EXACT_MAX));
}

function parseTransport(line: string, [protocol = '', ...texts]: readonly string[], version: string): NfsTransport {
  const expected = TRANSPORT_FIELDS[version]?.[protocol];
  if (expected === undefined) throw new ParseError(FILE, line);
  const numbers = numbersOf(texts, expected, line);
  const udp = protocol === 'udp';
  // UDP has no connections: the fields for connects, connect time and idle time are not there.
  const at = (place: number): number => numbers[udp ? place - 3 : place] as number;
  const ofQueue = (place: number): number => (version === '1.0' || protocol === 'rdma' ? 0 : at(place));
  return {
    protocol,
    binds: numbers[1] as number,
    connects: udp ? 0 : at(2),
    idleSeconds: udp ? 0 : cut(texts[4], at(4)),
    sends: at(5),
    receives: at(6),
    badIds: at(7),
    backlog: at(9),
    slots: ofQueue(10),
    sending: ofQueue(11),
    pending: ofQueue(12),
  };
}

function parseOperation(line: string): NfsOperation {
  const [label = '', ...texts] = fields(line);
  if (!label.endsWith(':')) throw new ParseError(FILE, line);
  const numbers = numbersOf(texts, OPERATION_FIELDS, line);
  const at = (place: number): number => numbers[place] as number;
  return {
    name: label.slice(0, -1),
    requests: at(0),
    transmissions: at(1),
    timeouts: at(2),
    sentBytes: at(3),
    receivedBytes: at(4),
    queueMs: cut(texts[5], at(5)),
    responseMs: cut(texts[6], at(6)),
    requestMs: cut(texts[7], at(7)),
  };
}

interface Head {
  readonly index: number;
  readonly device: string;
  readonly mountPoint: string;
  readonly version: string;
}

function parseBlock(
  { index, device, mountPoint, version }: Head,
  block: readonly string[],
  faults: ParseError[],
): NfsMount {
  const mount = { index, device, mountPoint, ageSeconds: undefined as number | undefined };
  let bytes: readonly number[] = [];
  let events: readonly number[] = [];
  const transports: (NfsTransport | undefined)[] = [];
  const operations: NfsOperation[] = [];
  let protocol: string | undefined;
  let protocolAsked: string | undefined;
  let perOperation = false;
  const take = (line: string): void => {
    const [key, ...texts] = fields(line);
    if (key === undefined) return;
    if (perOperation) operations.push(parseOperation(line));
    else if (key === 'opts:') protocolAsked = PROTOCOL_OPTION.exec(texts[0] ?? '')?.[1];
    else if (key === 'age:') [mount.ageSeconds] = numbersOf(texts, 1, line) as [number];
    else if (key === 'bytes:') bytes = numbersOf(texts, BYTES_FIELDS, line);
    else if (key === 'events:') events = eventsOf(texts, line);
    else if (key === 'xprt:') {
      transports.push(undefined);
      protocol ??= PROTOCOLS.find((each) => each === texts[0]);
      transports[transports.length - 1] = parseTransport(line, texts, version);
    } else if (key === 'per-op') perOperation = true;
  };
  for (const line of block) unlessOdd(faults, () => take(line));
  // Without a single line there is no connection to speak of.
  if (transports.length > 0) protocol ??= protocolAsked;
  return { ...mount, bytes, events, protocol, transports, operations };
}

/** A mount may have no device at all, and its point may have gone. */
const HEAD = /^device (.*) mounted on (\S*) with fstype (\S+)(?: (statvers=\S+))?/;

/** `device <d> mounted on <m> with fstype <t> statvers=<v>`; `undefined` for what is not NFS or keeps no statistics. */
function parseHead(line: string, index: number): Head | undefined {
  const [, device = '', mountPoint = '', type, statvers] = HEAD.exec(line) ?? [];
  if (type === undefined) throw new ParseError(FILE, line);
  if (statvers === undefined || (type !== 'nfs' && type !== 'nfs4')) return undefined;
  const version = statvers.replace(/^statvers=/, '');
  if (TRANSPORT_FIELDS[version] === undefined) throw new ParseError(FILE, line);
  return { index, device, mountPoint, version };
}

/**
 * Parses the NFS mounts of `/proc/<pid>/mountstats`. A line that cannot be parsed is left out, and answered beside the others.
 * https://docs.kernel.org/filesystems/proc.html, fs/nfs/super.c and net/sunrpc/stats.c in Linux.
 */
export function parseMountstats(text: string): { mounts: NfsMount[]; faults: ParseError[] } {
  const mounts: NfsMount[] = [];
  const faults: ParseError[] = [];
  const all = lines(text);
  // Every process sees some mount.
  if (all.length === 0) faults.push(new ParseError(FILE, ''));
  let index = 0;
  for (let start = 0; start < all.length; ) {
    let end = start + 1;
    while (end < all.length && !/^(no )?device /.test(all[end] as string)) end += 1;
    const line = all[start] as string;
    unlessOdd(faults, () => {
      const head = line.startsWith('no device ') ? undefined : parseHead(line, index);
      if (head !== undefined) mounts.push(parseBlock(head, all.slice(start + 1, end), faults));
    });
    index += 1;
    start = end;
  }
  return { mounts, faults };
}
