import process from 'node:process';
import { addressOf, NoSyscallsError, syscall } from './libc.ts';
import { type Architecture, isArchitecture, NUMBER_MAX, numberOf, type SyscallName } from './numbers.ts';

/**
 * Filters of system calls: small programs that the kernel runs before each call. What is decided by the number alone the kernel
 * remembers, and does not run the program for it any more (since Linux 5.11).
 * https://docs.kernel.org/userspace-api/seccomp_filter.html
 */

/** One of the call's six arguments, of which the low 32 bits are compared. */
export interface Condition {
  readonly argument: number;
  /** The bits that are compared; all by default. */
  readonly mask?: number;
  /** One of these values. */
  readonly is: readonly number[];
}

/** Whether a call is allowed: where all conditions of one of the lists hold, or where the one condition does not hold. */
export type Rule = { readonly allowedIf: readonly (readonly Condition[])[] } | { readonly refusedIf: Condition };

/** `refused`: EPERM. `unknown`: ENOSYS, for which libc has another way. */
export type Verdict = 'refused' | 'unknown' | Rule;

/** Calls that are not in it are allowed. */
export type Policy = Readonly<Partial<Record<SyscallName, Verdict>>>;

/** struct sock_filter of `include/uapi/linux/filter.h` */
export interface Instruction {
  readonly code: number;
  readonly whenTrue: number;
  readonly whenFalse: number;
  readonly value: number;
}

/** `include/uapi/linux/bpf_common.h` */
export const LOAD = 0x20;
export const AND = 0x54;
export const JUMP_ALWAYS = 0x05;
export const JUMP_EQUAL = 0x15;
export const JUMP_GREATER_OR_EQUAL = 0x35;
export const RETURN = 0x06;

/** `include/uapi/linux/seccomp.h`: offsets of struct seccomp_data, and what a filter may return. */
const NUMBER_AT = 0;
const ARCHITECTURE_AT = 4;
const ARGUMENTS_AT = 16;
export const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const EPERM = 1;
const ENOSYS = 38;
export const REFUSED = ERRNO | EPERM;
export const UNKNOWN = ERRNO | ENOSYS;

/** `include/uapi/linux/audit.h`: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64 */
export const AUDIT_ARCH: Readonly<Record<Architecture, number>> = { x64: 0xc000003e, arm64: 0xc00000b7 };

const plain = (code: number, value: number): Instruction => ({ code, whenTrue: 0, whenFalse: 0, value });
const JUMP_MAX = 255;

function jump(code: number, value: number, whenTrue: number, whenFalse: number): Instruction {
  if (Math.max(whenTrue, whenFalse) > JUMP_MAX) throw new RangeError(`a jump over ${whenTrue}, ${whenFalse}`);
  return { code, whenTrue, whenFalse, value };
}

/** What is run where the condition holds goes on after it; otherwise it skips `rest` more instructions. */
function compileCondition({ argument, mask, is }: Condition, rest: number): Instruction[] {
  const load = [plain(LOAD, ARGUMENTS_AT + 8 * argument), ...(mask === undefined ? [] : [plain(AND, mask >>> 0)])];
  const tests = is.map((value, i) => {
    const left = is.length - 1 - i;
    return jump(JUMP_EQUAL, value >>> 0, left, left === 0 ? rest : 0);
  });
  return [...load, ...tests];
}

function compileRule(rule: Rule): Instruction[] {
  if ('refusedIf' in rule)
    return [...compileCondition(rule.refusedIf, 1), plain(RETURN, REFUSED), plain(RETURN, ALLOW)];
  const ways = rule.allowedIf.flatMap((conditions) => {
    // From the last condition to the first, since each skips what comes after it.
    let way = [plain(RETURN, ALLOW)];
    for (const condition of conditions.toReversed()) way = [...compileCondition(condition, way.length), ...way];
    return way;
  });
  return [...ways, plain(RETURN, REFUSED)];
}

interface Range {
  readonly from: number;
  readonly body: readonly Instruction[];
}

const ALLOWED = [plain(RETURN, ALLOW)];

/** Neighbours that are decided alike are one range. */
function rangesOf(policy: Policy, arch: Architecture): Range[] {
  const bodies = { refused: [plain(RETURN, REFUSED)], unknown: [plain(RETURN, UNKNOWN)] };
  const byNumber = new Map<number, readonly Instruction[]>();
  for (const [name, verdict] of Object.entries(policy)) {
    const number = numberOf(name as SyscallName, arch);
    if (number !== undefined)
      byNumber.set(number, typeof verdict === 'string' ? bodies[verdict] : compileRule(verdict));
  }
  const ranges: Range[] = [];
  for (let number = 0; number <= NUMBER_MAX + 1; number += 1) {
    const body = number > NUMBER_MAX ? bodies.unknown : (byNumber.get(number) ?? ALLOWED);
    if (ranges.at(-1)?.body !== body) ranges.push({ from: number, body });
  }
  return ranges;
}

/** A binary search for the number's range. */
function compileSearch(ranges: readonly Range[]): Instruction[] {
  if (ranges.length === 1) return [...(ranges[0] as Range).body];
  const middle = ranges.length >> 1;
  const [below, above] = [compileSearch(ranges.slice(0, middle)), compileSearch(ranges.slice(middle))];
  const { from } = ranges[middle] as Range;
  if (below.length <= JUMP_MAX) return [jump(JUMP_GREATER_OR_EQUAL, from, below.length, 0), ...below, ...above];
  // A jump that is always taken reaches further.
  return [jump(JUMP_GREATER_OR_EQUAL, from, 0, 1), plain(JUMP_ALWAYS, below.length), ...below, ...above];
}

/** The program of a policy. Calls of another architecture (32 bit, x32) are refused. */
export function compile(policy: Policy, arch: Architecture): Instruction[] {
  return [
    plain(LOAD, ARCHITECTURE_AT),
    jump(JUMP_EQUAL, AUDIT_ARCH[arch], 1, 0),
    plain(RETURN, REFUSED),
    plain(LOAD, NUMBER_AT),
    ...compileSearch(rangesOf(policy, arch)),
  ];
}

const INSTRUCTION_BYTES = 8;

function encode(program: readonly Instruction[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [i, { code, whenTrue, whenFalse, value }] of program.entries()) {
    const at = i * INSTRUCTION_BYTES;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, whenTrue);
    view.setUint8(at + 3, whenFalse);
    view.setUint32(at + 4, value, true);
  }
  return bytes;
}

const SECCOMP_SET_MODE_FILTER = 1;
const SECCOMP_FILTER_FLAG_TSYNC = 1;

/**
 * Puts every thread of the process under the policy, for good. Needs no_new_privs in this thread, and sets it in all others.
 * Filters add up: what one of them refuses is refused. Throws a `SyscallError` where the kernel has no filters (ENOSYS, EINVAL).
 */
export function filterCalls(policy: Policy): void {
  const { arch } = process;
  if (!isArchitecture(arch)) throw new NoSyscallsError(`no system call numbers for ${arch}`);
  const program = encode(compile(policy, arch));
  // struct sock_fprog: a count of 16 bits, then a pointer at the next multiple of 8.
  const head = new DataView(new ArrayBuffer(16));
  head.setUint16(0, program.length / INSTRUCTION_BYTES, true);
  head.setBigUint64(8, addressOf(program), true);
  const stray = syscall('seccomp', SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, head);
  if (stray !== 0) throw new Error(`seccomp: thread ${stray} has filters of its own`);
}
