import { struct } from '../syscall/libc.ts';
import type { Privileges } from './access.ts';
import type { Excluded } from './event_text.ts';
import type { EventSpec } from './perf_event.ts';

/**
 * What the sealed process and the one that opens counters for it say to each other: one message for each counter, with the
 * leader of its group beside it, and one answer, with the counter. Before the first, the opener says who it is.
 */

const MAGIC = 0x314f484b;
const HAS_CGROUP = 1 << 8;
const EXCLUDES: readonly (keyof Excluded)[] = [
  'excludeUser',
  'excludeKernel',
  'excludeHv',
  'excludeHost',
  'excludeGuest',
];

const requestLayout = struct({
  magic: 'u32',
  cpu: 'i32',
  type: 'u32',
  flags: 'u32',
  config: 'u64',
  config1: 'u64',
  config2: 'u64',
});
const CGROUP_BYTES_MAX = 4096;
/** One byte more than any request has, to see what is too long. */
export const REQUEST_BYTES_MAX = requestLayout.sizeBytes + CGROUP_BYTES_MAX + 1;

export interface OpenRequest {
  readonly spec: EventSpec;
  readonly cpu: number;
  /** From the tree's root; only what runs in it is to be counted. */
  readonly cgroup?: string;
}

export function encodeRequest({ spec, cpu, cgroup }: OpenRequest): Uint8Array {
  const excludes = EXCLUDES.reduce((bits, name, i) => bits | (spec[name] === true ? 1 << i : 0), 0);
  const head = requestLayout.encode({
    magic: MAGIC,
    cpu,
    type: spec.type,
    flags: excludes | (cgroup === undefined ? 0 : HAS_CGROUP),
    config: spec.config,
    config1: spec.config1 ?? 0n,
    config2: spec.config2 ?? 0n,
  });
  return Buffer.concat([head, Buffer.from(cgroup ?? '', 'latin1')]);
}

/** A cgroup's path from the root of the tree: names, a slash between them, and nothing that leads elsewhere. */
const isCgroupPath = (path: string): boolean =>
  path.length > 0 && !path.includes('\0') && path.split('/').every((name) => !['', '.', '..'].includes(name));

/** What is no request is `undefined`. */
export function decodeRequest(bytes: Uint8Array): OpenRequest | undefined {
  if (bytes.length < requestLayout.sizeBytes || bytes.length >= REQUEST_BYTES_MAX) return undefined;
  const { magic, cpu, type, flags, config, config1, config2 } = requestLayout.decode(bytes);
  if (magic !== MAGIC || (flags & ~(HAS_CGROUP | 0b11111)) !== 0) return undefined;
  const spec: EventSpec = {
    type,
    config,
    config1,
    config2,
    ...Object.fromEntries(EXCLUDES.map((name, i) => [name, ((flags >> i) & 1) === 1])),
  };
  const size = requestLayout.sizeBytes;
  const rest = Buffer.from(bytes.buffer, bytes.byteOffset + size, bytes.length - size);
  if ((flags & HAS_CGROUP) === 0) return rest.length === 0 ? { spec, cpu } : undefined;
  const cgroup = rest.toString('latin1');
  if (!isCgroupPath(cgroup)) return undefined;
  return { spec, cpu, cgroup };
}

const answerLayout = struct({ magic: 'u32', errno: 'u32' });
const answer = new Uint8Array(answerLayout.sizeBytes);
export const ANSWER_BYTES = answerLayout.sizeBytes;

/** `errno` is 0 where the counter comes with it. The bytes are good until the next answer. */
export const encodeAnswer = (errno: number): Uint8Array => answerLayout.encode({ magic: MAGIC, errno }, answer);

export function decodeAnswer(bytes: Uint8Array): number | undefined {
  if (bytes.length !== ANSWER_BYTES) return undefined;
  const { magic, errno } = answerLayout.decode(bytes);
  return magic === MAGIC ? errno : undefined;
}

const helloLayout = struct({
  magic: 'u32',
  pid: 'i32',
  effective: 'u64',
  bounding: 'u64',
  noNewPrivs: 'u32',
  seccomp: 'u32',
});
export const HELLO_BYTES = helloLayout.sizeBytes;

export interface Hello {
  readonly pid: number;
  readonly privileges: Privileges;
}

export const encodeHello = ({ pid, privileges }: Hello): Uint8Array =>
  helloLayout.encode({
    magic: MAGIC,
    pid,
    effective: privileges.effective,
    bounding: privileges.bounding,
    noNewPrivs: privileges.noNewPrivs === true ? 1 : 0,
    seccomp: privileges.seccomp ?? 0,
  });

export function decodeHello(bytes: Uint8Array): Hello | undefined {
  if (bytes.length !== HELLO_BYTES) return undefined;
  const { magic, pid, noNewPrivs, ...rest } = helloLayout.decode(bytes);
  return magic === MAGIC ? { pid, privileges: { ...rest, noNewPrivs: noNewPrivs === 1 } } : undefined;
}
