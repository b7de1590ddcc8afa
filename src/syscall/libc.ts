import process from 'node:process';
import { getSystemErrorMessage, getSystemErrorName } from 'node:util';
import { ExporterError, messageOf } from '../core/errors.ts';
import { isArchitecture, numberOf, type SyscallName } from './numbers.ts';

/**
 * The one place that calls into C: the kernel's system calls, through libc's `syscall`. The foreign function interface is
 * loaded at the first call, so that its absence ends only what needs it.
 */

/** This Node cannot call the kernel directly: no foreign function interface, or an architecture without numbers here. */
export class NoSyscallsError extends ExporterError {
  override readonly name = 'NoSyscallsError';
  readonly code = 'NO_SYSCALLS';
}

/** What is asked for by name, and Node calls "Unknown system error -116". */
const NAMELESS: ReadonlyMap<number, readonly [code: string, message: string]> = new Map([
  [116, ['ESTALE', 'stale file handle']],
]);

/** What the kernel answered instead of doing it. `code`, `errno` and `syscall` are as in the errors of `node:fs`. */
export class SyscallError extends Error {
  override readonly name = 'SyscallError';
  readonly code: string;
  /** Negative. */
  readonly errno: number;
  readonly syscall: string;
  constructor(syscall: string, errno: number) {
    const [code, message] = NAMELESS.get(errno) ?? [getSystemErrorName(-errno), getSystemErrorMessage(-errno)];
    super(`${code}: ${message}, ${syscall}`);
    this.code = code;
    this.errno = -errno;
    this.syscall = syscall;
  }
}

/** A view is passed by its address; the kernel may write to it during the call. */
export type Word = number | bigint | NodeJS.ArrayBufferView;

type Ffi = typeof import('node:ffi');

function loadFfi(): Ffi {
  const ffi = process.getBuiltinModule('node:ffi');
  if (ffi === undefined) throw new NoSyscallsError('cannot call the kernel: this Node has no node:ffi');
  return ffi;
}

/** Functions of libc by their declarations, and where a function is. `null` is the program itself, which is linked with libc. */
export function openLibc<const T extends Parameters<Ffi['dlopen']>[1] & object>(definitions: T) {
  const { lib, functions } = loadFfi().dlopen(null, definitions);
  return { functions, addressOfFunction: (name: string): bigint => lib.getSymbol(name) };
}

/** No rest parameters: each would be an array, and some calls are made at every scrape. */
type Call = (name: SyscallName, a?: Word, b?: Word, c?: Word, d?: Word, e?: Word, f?: Word) => number;
interface Libc {
  readonly call: Call;
  readonly addressOf: (view: NodeJS.ArrayBufferView) => bigint;
}
let libc: Libc | undefined;

function load(): Libc {
  const { arch } = process;
  if (!isArchitecture(arch)) throw new NoSyscallsError(`no system call numbers for ${arch}`);
  const { getInt32, getRawPointer } = loadFfi();
  try {
    const { functions } = openLibc({
      syscall: { arguments: ['i64', 'i64', 'i64', 'i64', 'i64', 'i64', 'i64'], return: 'i64' },
      __errno_location: { arguments: [], return: 'pointer' },
    });
    // The address is this thread's for good: asking for it after the call could change what is there.
    const errnoAt = functions.__errno_location();
    const wordOf = (word: Word): bigint =>
      typeof word === 'bigint' ? word : typeof word === 'object' ? getRawPointer(word) : BigInt(word);
    const call: Call = (name, a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n) => {
      const number = numberOf(name, arch);
      if (number === undefined) throw new NoSyscallsError(`${arch} has no ${name}`);
      const result = functions.syscall(
        BigInt(number),
        wordOf(a),
        wordOf(b),
        wordOf(c),
        wordOf(d),
        wordOf(e),
        wordOf(f),
      );
      return result === -1n ? -getInt32(errnoAt, 0) : Number(result);
    };
    return { call, addressOf: getRawPointer };
  } catch (error) {
    throw new NoSyscallsError(`cannot call the kernel: ${messageOf(error)}`, { cause: error });
  }
}

/** Calls the kernel. Throws a `SyscallError` for what it refuses, a `NoSyscallsError` where it cannot be called at all. */
export const syscall: Call = (name, a, b, c, d, e, f) => {
  const result = trySyscall(name, a, b, c, d, e, f);
  if (result < 0) throw new SyscallError(name, -result);
  return result;
};

/** The same, but answers what the kernel refuses as its errno below 0: where that is the rule, an error is dear. */
export const trySyscall: Call = (name, a, b, c, d, e, f) => {
  libc ??= load();
  return libc.call(name, a, b, c, d, e, f);
};

/**
 * Where a view's bytes are, for a structure that holds a pointer to them. The caller keeps the view until the kernel has read
 * the pointer, and does not change its buffer's size.
 */
export function addressOf(view: NodeJS.ArrayBufferView): bigint {
  libc ??= load();
  return libc.addressOf(view);
}

const WIDTH = { i32: 4, u32: 4, i64: 8, u64: 8 } as const;
type Scalar = keyof typeof WIDTH;
type Fields = Readonly<Record<string, Scalar>>;
type Decoded<F extends Fields> = { -readonly [K in keyof F]: F[K] extends 'i64' | 'u64' ? bigint : number };

/** A C structure of numbers, laid out by the rules that x86_64 and arm64 share: every member at a multiple of its width. */
export interface Struct<F extends Fields> {
  readonly sizeBytes: number;
  readonly offsets: Readonly<Record<keyof F, number>>;
  /** Members that are not given are zero. `into` is for what is encoded again and again. */
  encode(values: Partial<Decoded<F>>, into?: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>;
  decode(bytes: Uint8Array): Decoded<F>;
}

/** `sizeBytes`: where the structure ends in more padding than its members need. */
export function struct<const F extends Fields>(fields: F, sizeBytes?: number): Struct<F> {
  const offsets: Record<string, number> = {};
  let end = 0;
  for (const [name, type] of Object.entries(fields)) {
    const width = WIDTH[type];
    offsets[name] = Math.ceil(end / width) * width;
    end = offsets[name] + width;
  }
  const widest = Math.max(...Object.values(fields).map((type) => WIDTH[type]));
  const size = sizeBytes ?? Math.ceil(end / widest) * widest;
  const places = Object.entries(fields).map(([name, type]) => ({ name, type, offset: offsets[name] as number }));
  return {
    sizeBytes: size,
    offsets: offsets as Record<keyof F, number>,
    encode(values, into) {
      const bytes = into?.fill(0) ?? new Uint8Array(size);
      const view = new DataView(bytes.buffer, bytes.byteOffset, size);
      for (const { name, type, offset } of places) {
        const value = (values as Record<string, number | bigint | undefined>)[name];
        if (value === undefined) continue;
        if (type === 'u64' || type === 'i64') view.setBigUint64(offset, BigInt.asUintN(64, BigInt(value)), true);
        else view.setUint32(offset, Number(value), true);
      }
      return bytes;
    },
    decode(bytes) {
      if (bytes.length < size) throw new RangeError(`${bytes.length} bytes for a structure of ${size}`);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const values: Record<string, number | bigint> = {};
      for (const { name, type, offset } of places) {
        if (type === 'u64') values[name] = view.getBigUint64(offset, true);
        else if (type === 'i64') values[name] = view.getBigInt64(offset, true);
        else values[name] = type === 'u32' ? view.getUint32(offset, true) : view.getInt32(offset, true);
      }
      return values as Decoded<F>;
    },
  };
}
