const BASE = 0x400000;
const ELF_HEADER = 64;
const PROGRAM_HEADER = 56;
const EM_AARCH64 = 183;

/** Instructions of `loopProgram` for so many turns. */
export const loopInstructions = (turns: number): number => 2 * turns;

/** An arm64 program that counts down from `turns` (below 2^32), two instructions a turn, and ends. */
export function loopProgram(turns: number): Uint8Array {
  const code = [
    0xd2800000 | ((turns & 0xffff) << 5), // movz x0, #low
    0xf2a00000 | ((turns >>> 16) << 5), // movk x0, #high, lsl #16
    0xf1000400, // subs x0, x0, #1
    0x54ffffe1, // b.ne the line before
    0xd2800ba8, // mov x8, #93 (exit)
    0xd2800000, // mov x0, #0
    0xd4000001, // svc #0
  ];
  const start = ELF_HEADER + PROGRAM_HEADER;
  const size = start + code.length * 4;
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value >>> 0, true);
  const u64 = (at: number, value: number): void => view.setBigUint64(at, BigInt(value), true);
  u16(16, 2); // ET_EXEC
  u16(18, EM_AARCH64);
  u32(20, 1);
  u64(24, BASE + start);
  u64(32, ELF_HEADER);
  u16(52, ELF_HEADER);
  u16(54, PROGRAM_HEADER);
  u16(56, 1);
  u32(64, 1); // PT_LOAD
  u32(68, 5); // readable, executable
  u64(80, BASE);
  u64(88, BASE);
  u64(96, size);
  u64(104, size);
  u64(112, 0x1000);
  for (const [i, word] of code.entries()) u32(start + i * 4, word);
  return bytes;
}
