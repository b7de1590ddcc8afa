import { closeSync, fstatSync, readFileSync, readlinkSync, readSync, writeSync } from 'node:fs';
import process from 'node:process';
import type { Acquired, Held } from '../core/collector.ts';
import { ExporterError, messageOf, optional } from '../core/errors.ts';
import { eventId } from '../perf/perf_event.ts';
import { namesOf, type ThreadPrivileges } from '../syscall/capability.ts';
import { syscall } from '../syscall/libc.ts';

/**
 * What the process tells itself across the exec, in a sealed memory file: which descriptors it holds, and what each of them
 * is. The second stage believes none of it: everything is asked of the kernel again.
 */

/** A hand-over that does not fit this process: forged, or left over from another one. */
export class HandoverError extends ExporterError {
  override readonly name = 'HandoverError';
  readonly code = 'HANDOVER';
}

/** One descriptor, as the kernel described it when it was opened. */
interface Item {
  readonly collector: string;
  readonly key: string;
  readonly fd: number;
  readonly kind: Held['kind'];
  readonly path?: string;
  /** Where `/proc/self/fd/<fd>` points. */
  readonly target: string;
  readonly device: string;
  readonly inode: string;
  /** The number of the perf event. */
  readonly eventId?: string;
}

export interface Handover {
  readonly acquired: ReadonlyMap<string, Acquired>;
  /** The permitted set with which the process was started. */
  readonly permittedAtStart: bigint;
  /** What is to be kept permitted; empty when sealed. */
  readonly keep: bigint;
  /** Whether any thread held a capability at the start. */
  readonly wasCapable: boolean;
}

interface Message {
  readonly pid: number;
  readonly startTime: string;
  readonly nonce: string;
  readonly permittedAtStart: string;
  readonly keep: string;
  readonly wasCapable: boolean;
  readonly items: readonly Item[];
  /** By collector; every collector that acquired has an entry. */
  readonly facts: Readonly<Record<string, unknown>>;
}

/** The environment variable that carries `<descriptor>.<nonce>` to the second stage, and goes away there. */
export const HANDOVER_VARIABLE = 'KEYHOLE_HANDOVER';

const MESSAGE_BYTES_MAX = 64 << 20;
const MFD_ALLOW_SEALING = 2;
/** Since Linux 6.3, where a sysctl may refuse memory files that could be executed. Older kernels do not know it. */
const MFD_NOEXEC_SEAL = 8;
const F_ADD_SEALS = 1033;
const F_GET_SEALS = 1034;
/** F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE */
const SEALS = 0b1111;

function createMemoryFile(): number {
  const name = Buffer.from('keyhole\0');
  const flags = MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL;
  return (
    optional(() => syscall('memfd_create', name, flags), ['EINVAL']) ?? syscall('memfd_create', name, MFD_ALLOW_SEALING)
  );
}

/** The 22nd field of `/proc/self/stat`: clock ticks from boot to the start of the process. An exec leaves it as it is. */
export function ownStartTime(): string {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const time = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  if (time === undefined) throw new HandoverError(`/proc/self/stat: no start time in ${JSON.stringify(stat)}`);
  return time;
}

function describe({ fd, kind }: Pick<Held, 'fd' | 'kind'>): Pick<Item, 'target' | 'device' | 'inode' | 'eventId'> {
  const { dev, ino } = fstatSync(fd, { bigint: true });
  const description = { target: readlinkSync(`/proc/self/fd/${fd}`), device: String(dev), inode: String(ino) };
  return kind === 'event' ? { ...description, eventId: String(eventId(fd)) } : description;
}

/** Writes the hand-over; returns the descriptors that must survive the exec, and the variable's value. */
export function writeHandover({ acquired, permittedAtStart, keep, wasCapable }: Handover): {
  readonly fds: readonly number[];
  readonly variable: string;
} {
  const items: Item[] = [];
  for (const [collector, { held }] of acquired)
    for (const each of held) items.push({ collector, ...each, ...describe(each) });
  const random = Buffer.alloc(16);
  // node:crypto would take longer to load than all the rest of this.
  syscall('getrandom', random, random.length, 0);
  const nonce = random.toString('hex');
  const message: Message = {
    pid: process.pid,
    startTime: ownStartTime(),
    nonce,
    permittedAtStart: String(permittedAtStart),
    keep: String(keep),
    wasCapable,
    items,
    facts: Object.fromEntries([...acquired].map(([collector, { facts }]) => [collector, facts ?? null])),
  };
  const fd = createMemoryFile();
  const bytes = Buffer.from(JSON.stringify(message));
  for (let written = 0; written < bytes.length; ) written += writeSync(fd, bytes, written);
  syscall('fcntl', fd, F_ADD_SEALS, SEALS);
  return { fds: [fd, ...items.map((item) => item.fd)], variable: `${fd}.${nonce}` };
}

const fault = (what: string): HandoverError => new HandoverError(`${HANDOVER_VARIABLE}: ${what}`);

function check(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw fault(what());
}

function readMessage(fd: number): unknown {
  const target = readlinkSync(`/proc/self/fd/${fd}`);
  check(target.startsWith('/memfd:keyhole'), () => `descriptor ${fd} is ${target}`);
  check((syscall('fcntl', fd, F_GET_SEALS) & SEALS) === SEALS, () => `descriptor ${fd} is not sealed`);
  const { size } = fstatSync(fd);
  check(size > 0 && size <= MESSAGE_BYTES_MAX, () => `${size} bytes`);
  const bytes = Buffer.alloc(size);
  check(readSync(fd, bytes, 0, size, 0) === size, () => 'shorter than it says');
  return JSON.parse(bytes.toString('utf8'));
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isDigits = (value: unknown): value is string => typeof value === 'string' && /^[0-9]{1,20}$/.test(value);

function isItem(value: unknown): value is Item {
  if (!isRecord(value)) return false;
  const { collector, key, fd, kind, path, target, device, inode, eventId: id } = value as Partial<Item>;
  return (
    [collector, key, target].every((text) => typeof text === 'string') &&
    Number.isSafeInteger(fd) &&
    Number(fd) > 2 &&
    (path === undefined || typeof path === 'string') &&
    isDigits(device) &&
    isDigits(inode) &&
    (kind === 'event' ? isDigits(id) : (kind === 'file' || kind === 'socket') && id === undefined)
  );
}

function isMessage(value: unknown): value is Message {
  if (!isRecord(value)) return false;
  const { pid, startTime, nonce, permittedAtStart, keep, wasCapable, items, facts } = value as Partial<Message>;
  return (
    Number.isSafeInteger(pid) &&
    isDigits(startTime) &&
    typeof nonce === 'string' &&
    isDigits(permittedAtStart) &&
    isDigits(keep) &&
    typeof wasCapable === 'boolean' &&
    Array.isArray(items) &&
    items.every(isItem) &&
    isRecord(facts)
  );
}

/** Asks the kernel what the descriptor is now. */
function verify(item: Item): Held {
  const { collector, key, fd, kind, path } = item;
  const name = `descriptor ${fd} (${collector} ${key})`;
  let now: ReturnType<typeof describe>;
  try {
    now = describe(item);
  } catch (error) {
    throw fault(`${name}: ${messageOf(error)}`);
  }
  check(kind !== 'event' || now.target === 'anon_inode:[perf_event]', () => `${name} is ${now.target}, no perf event`);
  check(kind !== 'socket' || now.target.startsWith('socket:['), () => `${name} is ${now.target}, no socket`);
  check(now.target === item.target, () => `${name} is ${now.target}, not ${item.target}`);
  check(now.device === item.device && now.inode === item.inode, () => `${name} is another ${now.target}`);
  check(now.eventId === item.eventId, () => `${name} is perf event ${now.eventId}, not ${item.eventId}`);
  return { key, fd, kind, ...(path === undefined ? {} : { path }) };
}

/** The variable's value where a seal came before and could hand nothing over: this process acquires what it may. */
export const NOTHING_HANDED_OVER = 'nothing';

/** Whether a first stage came before that had nothing to leave. Removes every trace of it. */
export function takeNothing(env: NodeJS.ProcessEnv): boolean {
  if (env[HANDOVER_VARIABLE] !== NOTHING_HANDED_OVER) return false;
  delete env[HANDOVER_VARIABLE];
  return true;
}

/** Takes what the first stage left, if there was one, and removes every trace of it. Throws a `HandoverError`. */
export function takeHandover(env: NodeJS.ProcessEnv): Handover | undefined {
  const variable = env[HANDOVER_VARIABLE];
  if (variable === undefined) return undefined;
  delete env[HANDOVER_VARIABLE];
  const [, digits, nonce] = /^([0-9]{1,9})\.([0-9a-f]{32})$/.exec(variable) ?? [];
  check(digits !== undefined, () => `${JSON.stringify(variable.slice(0, 80))} is no descriptor and nonce`);
  const fd = Number(digits);
  let message: unknown;
  try {
    message = readMessage(fd);
    closeSync(fd);
  } catch (error) {
    throw error instanceof HandoverError ? error : fault(`descriptor ${fd}: ${messageOf(error)}`);
  }
  check(isMessage(message), () => `descriptor ${fd} holds no hand-over`);
  const { pid, startTime, items, facts } = message;
  check(message.nonce === nonce, () => 'the nonce is another');
  check(pid === process.pid, () => `it is for process ${pid}, this is ${process.pid}`);
  check(startTime === ownStartTime(), () => `it is for a process ${pid} that started at another time`);
  check(new Set(items.map((item) => item.fd)).size === items.length, () => 'a descriptor is there twice');
  const held = new Map<string, Held[]>(Object.keys(facts).map((collector) => [collector, []]));
  for (const item of items) {
    const own = held.get(item.collector);
    check(own !== undefined, () => `no facts of ${item.collector}`);
    own.push(verify(item));
  }
  return {
    acquired: new Map([...held].map(([collector, own]) => [collector, { held: own, facts: facts[collector] }])),
    permittedAtStart: BigInt(message.permittedAtStart),
    keep: BigInt(message.keep),
    wasCapable: message.wasCapable,
  };
}

/**
 * Whoever may start the executable can write a hand-over for the process that it is about to become. No seal came before
 * that one: the capability of the file is there again.
 */
export function requireSeal(threads: readonly ThreadPrivileges[], keep: bigint): void {
  const excess = threads.reduce((mask, { permitted }) => mask | permitted, 0n) & ~keep;
  check(excess === 0n, () => `no seal came before it: ${namesOf(excess).join()} permitted`);
  // `undefined`: a kernel too old to tell.
  check(
    !threads.some(({ noNewPrivs }) => noNewPrivs === false),
    () => 'no seal came before it: no_new_privs is not set',
  );
}
