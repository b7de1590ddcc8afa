import { readFileSync } from 'node:fs';
import { endianness } from 'node:os';
import { ParseError } from '../core/errors.ts';

const AT_PAGESZ = 6n;
/** A key and a value, each a machine word. Node runs on 64 bit machines only. */
const ENTRY_BYTES = 16;

/** Finds the page size, in bytes, in what `/proc/<pid>/auxv` holds. https://man7.org/linux/man-pages/man3/getauxval.3.html */
export function parsePageSize(auxv: Buffer, bigEndian = endianness() === 'BE'): number {
  const word = (at: number): bigint => (bigEndian ? auxv.readBigUInt64BE(at) : auxv.readBigUInt64LE(at));
  for (let at = 0; at + ENTRY_BYTES <= auxv.length; at += ENTRY_BYTES)
    if (word(at) === AT_PAGESZ) return Number(word(at + ENTRY_BYTES / 2));
  throw new ParseError('/proc/self/auxv', auxv.toString('hex'));
}

/** The page size of the kernel that this process runs on, in bytes: a fact of the process, wherever `--path.procfs` points. */
export const pageSizeBytes = (): number => parsePageSize(readFileSync('/proc/self/auxv'));
