import { readFileSync, readlinkSync } from 'node:fs';
import { syscall } from './libc.ts';

/**
 * The executable is 100 MB, of which a tenth is ever used. Where a page of it is missing the kernel reads as much around it as
 * the disk's readahead says; on a disk where that is megabytes, and in a control group that holds few of them, each such
 * reading throws out what was just read for another. Below this limit a page is read alone.
 */
const SMALL_BYTES = 256 << 20;

/** `include/uapi/asm-generic/mman-common.h` */
const MADV_RANDOM = 1;

export interface Mapping {
  readonly start: bigint;
  readonly sizeBytes: bigint;
}

/** The mappings of `file` in `/proc/<pid>/maps`. https://docs.kernel.org/filesystems/proc.html */
export function parseMappings(text: string, file: string): Mapping[] {
  const mappings: Mapping[] = [];
  for (const line of text.split('\n')) {
    const [, start, end, path] = /^([0-9a-f]+)-([0-9a-f]+) \S+ \S+ \S+ \d+ +(.*)$/.exec(line) ?? [];
    if (path === file)
      mappings.push({ start: BigInt(`0x${start}`), sizeBytes: BigInt(`0x${end}`) - BigInt(`0x${start}`) });
  }
  return mappings;
}

/**
 * Reads the own executable page by page from here on, where `limitBytes` of memory are few. Since Linux 6.16 that holds for
 * its data only: code is read as if nothing had been said. An exec undoes it.
 */
export function spareMemory(limitBytes: number): void {
  if (limitBytes <= 0 || limitBytes >= SMALL_BYTES) return;
  try {
    const executable = readlinkSync('/proc/self/exe');
    for (const { start, sizeBytes } of parseMappings(readFileSync('/proc/self/maps', 'utf8'), executable))
      syscall('madvise', start, sizeBytes, MADV_RANDOM);
  } catch {
    // Advice only: it runs without.
  }
}
