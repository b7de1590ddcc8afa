import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { getSystemErrorName } from 'node:util';
import { isArchitecture, numberOf, type SyscallName } from '../../src/syscall/numbers.ts';

/** A system call to be made in another process: numbers, texts, or bytes. */
export type Attempt = readonly [name: SyscallName, ...words: readonly (number | string | Uint8Array)[]];

/**
 * Makes system calls inside a process, with gdb as root, as code would that has taken it over: on its main thread, or on one that
 * was there before its first line (`worker`). Answers for each `ok`, or the errno's name.
 */
export function attempt(pid: number, attempts: readonly Attempt[], on: 'main' | 'worker' = 'main'): string[] {
  const { arch } = process;
  if (!isArchitecture(arch)) throw new Error(arch);
  const commands = attempts.flatMap(([name, ...words]) => {
    const places = words.map((word, i) =>
      typeof word === 'number' ? String(word) : `(long)$memory+${i * WORD_BYTES}`,
    );
    const put = words.flatMap((word, i) =>
      typeof word === 'number'
        ? []
        : [`set {unsigned char [${bytesOf(word).length}]}($memory+${i * WORD_BYTES}) = ${literal(bytesOf(word))}`],
    );
    const padded = [String(numberOf(name, arch)), ...places, ...Array.from({ length: 6 - places.length }, () => '0')];
    return [
      ...put,
      `set $result = ((long(*)(long,long,long,long,long,long,long))syscall)(${padded.join(',')})`,
      `printf "attempt %ld %d\\n", $result, $result < 0 ? *((int*(*)(void))__errno_location)() : 0`,
    ];
  });
  const thread = on === 'main' ? [] : ['thread 2'];
  const all = [...thread, `set $memory = ((char*(*)(long))malloc)(${WORD_BYTES * 6})`, ...commands];
  const args = ['-nx', '-batch', '-p', String(pid), ...all.flatMap((command) => ['-ex', command])];
  const { stdout, stderr } = spawnSync('gdb', args, { encoding: 'utf8', timeout: GDB_MS, killSignal: 'SIGKILL' });
  const answers = [...stdout.matchAll(/^attempt (-?\d+) (\d+)$/gm)];
  if (answers.length !== attempts.length) throw new Error(`${stdout}\n${stderr}`);
  return answers.map(([, result, errno]) => (Number(result) >= 0 ? 'ok' : getSystemErrorName(-Number(errno))));
}

const GDB_MS = 30_000;
/** Room for each word in the process's memory. */
const WORD_BYTES = 128;
const bytesOf = (word: string | Uint8Array): Uint8Array => (typeof word === 'string' ? Buffer.from(`${word}\0`) : word);
const literal = (bytes: Uint8Array): string => `{${[...bytes].join(',')}}`;
