import process from 'node:process';

const BASE = 0x400000;
const HEADERS_BYTES = 64 + 56;
const ELF_MACHINE: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
/** `pause()` for ever; arm64 has ppoll(NULL, 0, NULL, NULL) in its place. */
const CODE: Readonly<Record<string, readonly number[]>> = {
  // mov eax, 34; syscall; jmp back
  x64: [0xb8, 0x22, 0x00, 0x00, 0x00, 0x0f, 0x05, 0xeb, 0xf7],
  // mov x0..x4, 0; mov x8, 73; svc 0; b back
  arm64: [
    0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x80, 0xd2, 0x02, 0x00, 0x80, 0xd2, 0x03, 0x00, 0x80, 0xd2, 0x04, 0x00, 0x80,
    0xd2, 0x28, 0x09, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4, 0xf9, 0xff, 0xff, 0x17,
  ],
};

/** A program that waits for ever, as an ELF file without any library: the machine may have no compiler. */
export function pauseExecutable(arch: string = process.arch): Buffer {
  const [machine, code] = [ELF_MACHINE[arch], CODE[arch]];
  if (machine === undefined || code === undefined) throw new Error(`no code for ${arch}`);
  const headers = Buffer.alloc(HEADERS_BYTES);
  const sizeBytes = BigInt(HEADERS_BYTES + code.length);
  // ELF header: 64 bits, little endian, executable; then one segment, readable and executable.
  headers.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  headers.writeUInt16LE(2, 16);
  headers.writeUInt16LE(machine, 18);
  headers.writeUInt32LE(1, 20);
  headers.writeBigUInt64LE(BigInt(BASE + HEADERS_BYTES), 24);
  headers.writeBigUInt64LE(64n, 32);
  headers.writeUInt16LE(64, 52);
  headers.writeUInt16LE(56, 54);
  headers.writeUInt16LE(1, 56);
  headers.writeUInt32LE(1, 64);
  headers.writeUInt32LE(5, 68);
  headers.writeBigUInt64LE(BigInt(BASE), 80);
  headers.writeBigUInt64LE(BigInt(BASE), 88);
  headers.writeBigUInt64LE(sizeBytes, 96);
  headers.writeBigUInt64LE(sizeBytes, 104);
  headers.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([headers, Buffer.from(code)]);
}
