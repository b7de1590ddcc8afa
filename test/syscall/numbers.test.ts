// Holds our numbers against the kernel's headers (Debian: linux-libc-dev).
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { ACCESS_FS, ACCESS_NET, SCOPE } from '../../src/syscall/landlock.ts';
import { type Architecture, NUMBER_MAX, NUMBERS } from '../../src/syscall/numbers.ts';
import { ALLOW, AUDIT_ARCH } from '../../src/syscall/seccomp.ts';
import { loudly } from '../helpers/debian.ts';

const INCLUDE = '/usr/include';

/** The first of these headers that is installed. */
const headerOf = (...paths: readonly string[]): string | undefined =>
  paths.map((path) => `${INCLUDE}/${path}`).find((path) => existsSync(path));

/** `#define __NR_<name> <number>`, and names that stand for others: `__NR3264_<name>`. */
function numbersIn(header: string): Map<string, number> {
  const text = readFileSync(header, 'latin1');
  const numbers = new Map<string, number>();
  for (const [, name, number] of text.matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)$/gm))
    numbers.set(name as string, Number(number));
  for (const [, name, other] of text.matchAll(/^#define __NR_(\w+) __NR3264_(\w+)$/gm))
    if (numbers.has(other as string)) numbers.set(name as string, numbers.get(other as string) as number);
  return numbers;
}

function holds(t: TestContext, arch: Architecture, header: string | undefined): void {
  if (header === undefined) {
    t.skip(loudly(`no header with the numbers of ${arch}`) || undefined);
    return;
  }
  const real = numbersIn(header);
  const newest = Math.max(...real.values());
  const later: string[] = [];
  for (const [name, numbers] of Object.entries(NUMBERS)) {
    const ours = numbers[arch];
    if (real.has(name)) assert.equal(ours, real.get(name), name);
    else if (ours !== undefined && ours > newest) later.push(name);
    else assert.equal(ours, undefined, `${name}: the header has none`);
  }
  if (later.length > 0) loudly(`newer than ${header}, so not held against it: ${later.join(', ')}`);
}

test('the numbers of x86_64', (t) => holds(t, 'x64', headerOf('x86_64-linux-gnu/asm/unistd_64.h', 'asm/unistd_64.h')));

test('the numbers of arm64', (t) =>
  holds(t, 'arm64', headerOf('aarch64-linux-gnu/asm/unistd_64.h', 'asm-generic/unistd.h')));

test('what is newer than both architectures, they share', () => {
  for (const [name, { x64, arm64 }] of Object.entries(NUMBERS)) {
    if (arm64 !== undefined && x64 > 423) assert.equal(x64, arm64, name);
    assert.ok(x64 <= NUMBER_MAX && (arm64 ?? 0) <= NUMBER_MAX, name);
  }
});

/** The value of a `#define`: a number, or a bit. */
function defined(text: string, name: string): number | undefined {
  const [, number, bit] =
    new RegExp(`^#define ${name}\\s+(?:(0x[0-9a-f]+)U?|\\(1U?L?L? << (\\d+)\\))`, 'm').exec(text) ?? [];
  if (bit !== undefined) return 2 ** Number(bit);
  return number === undefined ? undefined : Number(number);
}

const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();

test('the rights of Landlock', (t) => {
  const header = headerOf('linux/landlock.h');
  if (header === undefined) return t.skip(loudly('no header of Landlock') || undefined);
  const text = readFileSync(header, 'latin1');
  let held = 0;
  for (const [prefix, rights] of [
    ['LANDLOCK_ACCESS_FS_', ACCESS_FS],
    ['LANDLOCK_ACCESS_NET_', ACCESS_NET],
    ['LANDLOCK_SCOPE_', SCOPE],
  ] as const)
    for (const [name, bit] of Object.entries(rights)) {
      const real = defined(text, prefix + snake(name));
      if (real === undefined) continue;
      assert.equal(bit, real, name);
      held += 1;
    }
  assert.ok(held >= 13, `${held} rights`);
});

test('what a filter returns, and the architectures', (t) => {
  const header = headerOf('linux/seccomp.h');
  if (header === undefined) return t.skip(loudly('no header of seccomp') || undefined);
  assert.equal(ALLOW, defined(readFileSync(header, 'latin1'), 'SECCOMP_RET_ALLOW'));
  // include/uapi/linux/elf-em.h: EM_X86_64 62, EM_AARCH64 183; __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE
  assert.equal(AUDIT_ARCH.x64, 0xc0000000 + 62);
  assert.equal(AUDIT_ARCH.arm64, 0xc0000000 + 183);
});
