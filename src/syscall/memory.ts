import { readFileSync, readlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openLibc, syscall } from './libc.ts';

/** `include/uapi/asm-generic/mman-common.h` */
const MADV_DONTNEED = 4;
const MADV_NOHUGEPAGE = 15;

export interface Range {
  readonly start: bigint;
  readonly sizeBytes: bigint;
}

const HEAD = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \d+ +(.*)$/;

/**
 * The mappings of `file` that are as they are in the file, out of `/proc/<pid>/smaps`. One that the loader has written to would
 * come back as it was before relocation. https://docs.kernel.org/filesystems/proc.html
 */
export function unmodifiedMappings(smaps: string, file: string): Range[] {
  const ranges: Range[] = [];
  let last: Range | undefined;
  for (const line of smaps.split('\n')) {
    const [, start, end, mode = '', path] = HEAD.exec(line) ?? [];
    if (start !== undefined)
      last =
        path === file && !mode.includes('w')
          ? { start: BigInt(`0x${start}`), sizeBytes: BigInt(`0x${end}`) - BigInt(`0x${start}`) }
          : undefined;
    else if (last !== undefined && /^Anonymous: +0 kB$/.test(line)) ranges.push(last);
  }
  return ranges;
}

/** `malloc.h` of glibc */
const M_MMAP_THRESHOLD = -3;
/** V8 compiles in pieces of 32 KiB: from this size on each is a mapping, and goes back to the kernel with the `free`. */
const MAPPED_BYTES = 32 << 10;

/** Gives memory back that only the start has needed. Without the right to do so it runs on as before. */
export interface Spare {
  /** Garbage, code of functions that are not called any more, and what `free` gives back. */
  heap(): void;
  /** The free parts of the C heap. Compiling leaves megabytes of them in the thread that compiles. */
  free(): void;
  /** The pages of the own executable: most are not touched again, and those that are come from the page cache. */
  code(): void;
}

export function createSpare(): Spare {
  let ranges: readonly Range[] | undefined;
  let trim: ((keptBytes: bigint) => number) | undefined;
  const free = (): void => {
    trim ??= openLibc({ malloc_trim: { arguments: ['u64'], return: 'i32' } }).functions.malloc_trim;
    trim(0n);
  };
  const quietly = (work: () => void) => (): void => {
    try {
      work();
    } catch {
      // It runs without.
    }
  };
  quietly(() => {
    const { mallopt } = openLibc({ mallopt: { arguments: ['i32', 'i32'], return: 'i32' } }).functions;
    mallopt(M_MMAP_THRESHOLD, MAPPED_BYTES);
  })();
  return {
    heap: quietly(() => {
      setFlagsFromString('--expose-gc');
      const gc = runInNewContext('gc') as (options: object) => void;
      gc({ type: 'major', execution: 'sync', flavor: 'last-resort' });
      setFlagsFromString('--no-expose-gc');
      free();
    }),
    free: quietly(free),
    code: quietly(() => {
      ranges ??= unmodifiedMappings(readFileSync('/proc/self/smaps', 'utf8'), readlinkSync('/proc/self/exe'));
      for (const { start, sizeBytes } of ranges) {
        // Where the page cache holds 2 MiB in one piece, a fault would map all of it.
        syscall('madvise', start, sizeBytes, MADV_NOHUGEPAGE);
        syscall('madvise', start, sizeBytes, MADV_DONTNEED);
      }
    }),
  };
}
