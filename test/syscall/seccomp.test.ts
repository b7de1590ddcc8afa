import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';
import fc from 'fast-check';
import { listeningPolicy, servingPolicy } from '../../src/privilege/calls.ts';
import { type Architecture, NUMBER_MAX, NUMBERS, numberOf, type SyscallName } from '../../src/syscall/numbers.ts';
import {
  ALLOW,
  AND,
  AUDIT_ARCH,
  compile,
  type Instruction,
  JUMP_ALWAYS,
  JUMP_EQUAL,
  JUMP_GREATER_OR_EQUAL,
  LOAD,
  type Policy,
  REFUSED,
  RETURN,
  UNKNOWN,
} from '../../src/syscall/seccomp.ts';

/** What the kernel's machine would return: Documentation/networking/filter.rst. */
function run(program: readonly Instruction[], arch: number, number: number, words: readonly number[] = []): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, true);
  data.setUint32(4, arch, true);
  for (const [i, word] of words.entries()) data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, BigInt(word)), true);
  let a = 0;
  for (let at = 0; at < program.length; at += 1) {
    const { code, whenTrue, whenFalse, value } = program[at] as Instruction;
    if (code === LOAD) a = data.getUint32(value, true);
    else if (code === AND) a = (a & value) >>> 0;
    else if (code === JUMP_ALWAYS) at += value;
    else if (code === JUMP_EQUAL) at += a === value ? whenTrue : whenFalse;
    else if (code === JUMP_GREATER_OR_EQUAL) at += a >= value ? whenTrue : whenFalse;
    else if (code === RETURN) return value;
    else throw new Error(`code ${code}`);
  }
  throw new Error('fell off the end');
}

const ARCHITECTURES: readonly Architecture[] = ['x64', 'arm64'];
const names = Object.keys(NUMBERS) as SyscallName[];

test('every call is decided as the policy says, on both architectures', () => {
  const verdict = fc.constantFrom('refused' as const, 'unknown' as const, undefined);
  fc.assert(
    fc.property(fc.array(verdict, { minLength: names.length, maxLength: names.length }), (verdicts) => {
      const chosen = names.flatMap((name, i) => (verdicts[i] === undefined ? [] : [[name, verdicts[i]] as const]));
      const policy: Policy = Object.fromEntries(chosen);
      for (const arch of ARCHITECTURES) {
        const program = compile(policy, arch);
        const byNumber = new Map(chosen.map(([name, each]) => [numberOf(name, arch), each]));
        for (let number = 0; number <= NUMBER_MAX; number += 1) {
          const want = { refused: REFUSED, unknown: UNKNOWN, allowed: ALLOW }[byNumber.get(number) ?? 'allowed'];
          assert.equal(run(program, AUDIT_ARCH[arch], number), want, `${arch} ${number}`);
        }
        assert.equal(run(program, AUDIT_ARCH[arch], NUMBER_MAX + 1), UNKNOWN);
        assert.equal(run(program, AUDIT_ARCH[arch], 0x40000000), UNKNOWN, 'x32');
        assert.equal(run(program, 0x40000003, 0), REFUSED, '32 bit');
      }
    }),
    { numRuns: 30 },
  );
});

test('conditions hold one after another, lists instead of one another', () => {
  const policy: Policy = {
    socket: {
      allowedIf: [
        [
          { argument: 0, is: [2, 10] },
          { argument: 1, mask: 0xf, is: [1] },
        ],
        [{ argument: 0, is: [16] }],
      ],
    },
    ioctl: { refusedIf: { argument: 1, is: [5, 6] } },
    bind: { allowedIf: [] },
  };
  for (const arch of ARCHITECTURES) {
    const program = compile(policy, arch);
    const ask = (name: SyscallName, ...words: number[]) =>
      run(program, AUDIT_ARCH[arch], numberOf(name, arch) as number, words);
    for (const [words, want] of [
      [[2, 1], ALLOW],
      [[10, 0x80801], ALLOW],
      [[2, 2], REFUSED],
      [[16, 3], ALLOW],
      [[1, 1], REFUSED],
    ] as const)
      assert.equal(ask('socket', ...words), want, words.join());
    assert.deepEqual(
      [4, 5, 6, 7].map((word) => ask('ioctl', 0, word)),
      [ALLOW, REFUSED, REFUSED, ALLOW],
    );
    assert.equal(ask('bind', 3), REFUSED);
    assert.equal(ask('listen', 3), ALLOW);
  }
});

test('the policies of the serving process: threads and reading, no processes and no writing', () => {
  for (const arch of ARCHITECTURES) {
    const serving = compile(servingPolicy({ reopens: false }), arch);
    const reopening = compile(servingPolicy({ reopens: true }), arch);
    const ask = (program: readonly Instruction[], name: SyscallName, ...words: number[]) =>
      run(program, AUDIT_ARCH[arch], numberOf(name, arch) as number, words);
    const thread = 0x3d0f00;
    assert.equal(ask(serving, 'clone', thread), ALLOW);
    assert.equal(ask(serving, 'clone', 17), REFUSED);
    for (const namespace of [0x20000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000])
      assert.equal(ask(serving, 'clone', thread | namespace), REFUSED, namespace.toString(16));
    assert.equal(ask(serving, 'clone3'), UNKNOWN);
    for (const [flags, want] of [
      [0, ALLOW],
      [0o2000000, ALLOW],
      [0o200000, ALLOW],
      [0o4000, ALLOW],
      [1, REFUSED],
      [2, REFUSED],
      [0o100, REFUSED],
      [0o1000, REFUSED],
      [0o20200000, REFUSED],
    ] as const)
      assert.equal(ask(serving, 'openat', -100, 0, flags), want, flags.toString(8));
    assert.deepEqual([ask(serving, 'perf_event_open'), ask(reopening, 'perf_event_open')], [REFUSED, ALLOW]);
    assert.deepEqual(
      [ask(serving, 'kill', process.pid, 15), ask(serving, 'kill', 1, 15), ask(serving, 'kill', -1, 9)],
      [ALLOW, REFUSED, REFUSED],
    );
    // The one exec that is still to come.
    assert.equal(ask(serving, 'execve'), ALLOW);
  }
});

test('sockets are those that collectors have named', () => {
  const arch = 'x64';
  const asker = (needs: Parameters<typeof listeningPolicy>[0]) => {
    const program = compile(listeningPolicy(needs), arch);
    return (name: SyscallName, ...words: number[]) =>
      run(program, AUDIT_ARCH[arch], numberOf(name, arch) as number, words) === ALLOW;
  };
  const none = asker([]);
  assert.deepEqual(
    [
      none('socket', 16, 3, 0),
      none('connect'),
      none('bind', 3, 0, 16),
      none('listen'),
      none('execve'),
      none('prctl', 4),
    ],
    [false, false, false, false, false, false],
  );
  assert.deepEqual([none('accept4'), none('prctl', 15)], [true, true]);
  const netlink = asker([{ family: 'netlink', protocol: 16 }]);
  assert.deepEqual(
    [netlink('socket', 16, 3, 16), netlink('socket', 16, 3, 0), netlink('bind', 3, 0, 12), netlink('connect')],
    [true, false, true, false],
  );
  const udp = asker([{ family: 'udp' }]);
  assert.deepEqual(
    [udp('socket', 2, 0x80802, 0), udp('socket', 2, 1, 0), udp('bind', 3, 0, 16), udp('connect'), udp('listen')],
    [true, false, true, true, false],
  );
  const tcp = asker([{ family: 'tcp', port: 9001 }]);
  assert.deepEqual([tcp('socket', 10, 1, 6), tcp('socket', 2, 1, 262), tcp('connect')], [true, false, true]);
  const unix = asker([{ family: 'unix' }]);
  assert.deepEqual([unix('socket', 1, 1, 0), unix('socket', 40, 1, 0), unix('connect')], [true, false, true]);
});

test('the kernel takes the programs, and does what they say', () => {
  const urlOf = (path: string): string => JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
  const script = `
    import { mkdirSync, openSync } from 'node:fs';
    import { setNoNewPrivs, threadPrivileges } from ${urlOf('syscall/capability.ts')};
    import { filterCalls } from ${urlOf('syscall/seccomp.ts')};
    import { servingPolicy, listeningPolicy } from ${urlOf('privilege/calls.ts')};
    const answer = (work) => { try { work(); return 'ok'; } catch (error) { return error.code; } };
    setNoNewPrivs();
    filterCalls(servingPolicy({ reopens: false }));
    filterCalls(listeningPolicy([]));
    const told = [answer(() => mkdirSync('/tmp/keyhole-never')), answer(() => openSync('/tmp/keyhole-never', 'w')), answer(() => openSync('/proc/stat'))];
    const all = threadPrivileges();
    process.stdout.write(JSON.stringify([...told, all.length > 1, all.every(({ seccomp, noNewPrivs }) => seccomp === 2 && noNewPrivs)]));
    process.kill(process.pid, 'SIGKILL');`;
  let told = '';
  try {
    execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch (error) {
    told = (error as { stdout: string }).stdout;
  }
  assert.deepEqual(JSON.parse(told), ['EPERM', 'EPERM', 'ok', true, true]);
});
