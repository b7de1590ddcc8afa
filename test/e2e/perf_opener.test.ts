// The process that opens counters, attacked by whoever is at the other end of its socket. Needs root to set that up.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { optional } from '../../src/core/errors.ts';
import { ANSWER_BYTES, decodeAnswer, decodeHello, encodeRequest, HELLO_BYTES } from '../../src/perf/opener_protocol.ts';
import { eventId } from '../../src/perf/perf_event.ts';
import { readPmus } from '../../src/perf/pmu.ts';
import { openTree } from '../../src/source/source.ts';
import { receiveMessage, sendMessage, setSocketTimeout, socketPair } from '../../src/syscall/unix_socket.ts';
import { command, skip as lacks, NOBODY } from '../helpers/capable.ts';
import { lacksCgroups, makeCgroup, OWN, removeAll } from '../helpers/cgroups.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { type Attempt, attempt } from '../helpers/inside.ts';
import { threadsOf } from '../helpers/threads.ts';

const skip = lacks === false ? loudly(lacksCgroups()) : lacks;

const SWITCHES = { type: 1, config: 3n };
const [EPERM, EBADF, EINVAL, ESTALE] = [1, 9, 22, 116];

interface Opener {
  readonly child: ChildProcess;
  /** What it answers to these bytes, with these descriptors beside them: an errno, or a counter. */
  ask(bytes: Uint8Array, fds?: readonly number[]): { readonly errno: number; readonly fds: readonly number[] };
  readonly socket: number;
}

async function startOpener(prefix: readonly string[] = []): Promise<Opener> {
  const [socket, other] = socketPair();
  const [program = '', ...rest] = [...prefix, ...NOBODY, ...command('p'), 'opener', '--path.sysfs=/sys'];
  const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit', other] });
  closeSync(other);
  // However a test fails, this one must not wait for it.
  child.unref();
  setSocketTimeout(socket, 20_000);
  const hello = decodeHello(receiveMessage(socket, HELLO_BYTES, 0)?.bytes ?? new Uint8Array());
  assert.equal(hello?.privileges.effective, 1n << 38n);
  return {
    child,
    socket,
    ask(bytes, fds = []) {
      sendMessage(socket, bytes, fds);
      const message = receiveMessage(socket, ANSWER_BYTES, 4);
      assert.ok(message !== undefined, 'it answers');
      const errno = decodeAnswer(message.bytes);
      assert.ok(errno !== undefined);
      return { errno, fds: message.fds };
    },
  };
}

/** Counters, cgroups, sockets and what it was sent; not the runtime's own. */
const descriptorsOf = ({ child: { pid } }: Opener): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .map((fd) => optional(() => readlinkSync(`/proc/${pid}/fd/${fd}`)) ?? '')
    .filter((target) => /perf_event|cgroup|socket|null/.test(target));

async function stop({ child, socket }: Opener): Promise<void> {
  child.ref();
  const ended = once(child, 'exit');
  closeSync(socket);
  assert.deepEqual(await Promise.race([ended, delay(10_000, 'late', { ref: false })]), [0, null]);
}

/** Of its own: without what it shares with others. */
const memoryMib = ({ child: { pid } }: Opener): number =>
  Number(/^Anonymous:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))?.[1]) / 1024;

const closeEach = (fds: readonly number[]): void => {
  for (const fd of fds) closeSync(fd);
};

describe('the opener', { skip, concurrency: false }, () => {
  let opener: Opener;
  let atStart: readonly string[] = [];
  before(async () => {
    makeCgroup('in');
    opener = await startOpener();
    atStart = descriptorsOf(opener);
  });
  after(async () => {
    const threads = threadsOf(opener.child.pid as number);
    // It closes its own copy after the answer.
    for (const end = Date.now() + 10_000; descriptorsOf(opener).length > atStart.length && Date.now() < end; )
      await delay(20);
    const now = descriptorsOf(opener);
    await stop(opener);
    await removeAll();
    assert.deepEqual(now, atStart, 'it keeps nothing');
    for (const { permitted } of threads) assert.equal(permitted, 1n << 38n);
  });

  test('opens a counter of a CPU, and of a cgroup, and a group of them', () => {
    const { fds: leader } = opener.ask(encodeRequest({ spec: SWITCHES, cpu: 0 }));
    const { fds: member } = opener.ask(encodeRequest({ spec: { type: 1, config: 2n }, cpu: 0 }), leader);
    const { fds: cgroup } = opener.ask(encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/in` }));
    for (const [fd] of [leader, member, cgroup]) assert.ok(eventId(fd as number) > 0n);
    closeEach([...leader, ...member, ...cgroup]);
  });

  test('20,000 requests leave no memory behind', async (t) => {
    const other = await startOpener();
    const request = encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/in` });
    const before = memoryMib(other);
    for (let i = 0; i < 20_000; i += 1) closeEach(other.ask(request).fds);
    const now = memoryMib(other);
    t.diagnostic(`anonymous memory: ${before.toFixed()} MiB, then ${now.toFixed()}`);
    await stop(other);
    assert.ok(now < before + 8, `${before} MiB, then ${now}`);
  });

  for (const [why, request, errno] of [
    ['nothing', new Uint8Array(1), EINVAL],
    ['a request that is cut', encodeRequest({ spec: SWITCHES, cpu: 0 }).subarray(0, 20), EINVAL],
    [
      'a request with something after it',
      Buffer.concat([encodeRequest({ spec: SWITCHES, cpu: 0 }), Buffer.from('x')]),
      EINVAL,
    ],
    ['what is too long', new Uint8Array(10_000), EINVAL],
    ['a way out of the tree', encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: '../..' }), EINVAL],
    ['a way out and in again', encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/../${OWN}` }), EINVAL],
    ['an absolute path', encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: '/proc' }), EINVAL],
    ['a cgroup that is not there', encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/none` }), ESTALE],
    ['every CPU at once', encodeRequest({ spec: SWITCHES, cpu: -1 }), EPERM],
    ['a breakpoint', encodeRequest({ spec: { type: 5, config: 0n }, cpu: 0 }), EPERM],
    ['what BPF writes to', encodeRequest({ spec: { type: 1, config: 10n }, cpu: 0 }), EPERM],
    ['an unknown PMU', encodeRequest({ spec: { type: 0x7fffffff, config: 0n }, cpu: 0 }), EPERM],
  ] as const)
    test(`refuses ${why}`, () => assert.deepEqual(opener.ask(request), { errno, fds: [] }));

  test('refuses a file of a cgroup, a probe and a trace', () => {
    const { errno } = opener.ask(encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/in/cgroup.procs` }));
    assert.notEqual(errno, 0);
    for (const { name, type } of readPmus(openTree('/sys')))
      if (['uprobe', 'kprobe', 'breakpoint', 'intel_pt'].includes(name))
        assert.deepEqual(
          opener.ask(encodeRequest({ spec: { type, config: 0n }, cpu: 0 })),
          { errno: EPERM, fds: [] },
          name,
        );
  });

  test('refuses a leader that is no counter, and more than one', () => {
    const fd = openSync('/dev/null', 'r');
    const request = encodeRequest({ spec: SWITCHES, cpu: 0 });
    assert.equal(opener.ask(request, [fd]).errno, EBADF);
    assert.equal(opener.ask(request, [fd, fd]).errno, EINVAL);
    assert.equal(opener.ask(request, [fd, fd, fd, fd, fd, fd]).errno, EINVAL);
    closeSync(fd);
  });

  test('goes on after 2000 messages of noise', () => {
    let seed = 7;
    const noise = (length: number): Uint8Array =>
      Uint8Array.from({ length }, () => {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
        return seed >>> 16;
      });
    for (let i = 0; i < 2000; i += 1) {
      const bytes = noise(1 + (i % 100));
      if (i % 2 === 0) bytes.set(encodeRequest({ spec: SWITCHES, cpu: 0 }).subarray(0, Math.min(8, bytes.length)));
      const { errno, fds } = opener.ask(bytes);
      assert.equal(errno === 0, fds.length === 1);
      closeEach(fds);
    }
  });

  test('waits while nobody takes its answers, and has lost none', () => {
    const request = encodeRequest({ spec: SWITCHES, cpu: 0 });
    for (let i = 0; i < 50; i += 1) sendMessage(opener.socket, request);
    for (let i = 0; i < 50; i += 1) closeEach(receiveMessage(opener.socket, ANSWER_BYTES, 1)?.fds ?? []);
  });
});

const AT_FDCWD = -100;
const AF_INET = 2;
const SIGCHLD = 17;
/** struct open_how: to read. */
const READ = new Uint8Array(24);
/** struct perf_event_attr, of context switches. */
const COUNTER = new Uint8Array(64);
new DataView(COUNTER.buffer).setUint32(0, 1, true);
new DataView(COUNTER.buffer).setUint32(4, COUNTER.length, true);
const read = (path: string): Attempt => ['openat2', AT_FDCWD, path, READ, READ.length];

/** What code tries that has taken it over, and what the kernel must answer. */
const INSIDE: readonly (readonly [what: string, attempt: Attempt, answer: string])[] = [
  ['open a file', ['openat', AT_FDCWD, '/dev/null', 0], 'EPERM'],
  ['write a file', ['openat', AT_FDCWD, '/tmp/keyhole-written', 0o101, 0o644], 'EPERM'],
  ['read a file of the system', read('/etc/passwd'), 'EACCES'],
  ['read another process', read('/proc/1/status'), 'EACCES'],
  ['read the machine', read('/sys/devices/system/cpu/online'), 'EACCES'],
  ['list everything', read('/'), 'EACCES'],
  ['share memory with the kernel', ['mmap', 0, 4096, 1, 1, 3, 0], 'EPERM'],
  ['count a process', ['perf_event_open', COUNTER, 1, 0, -1, 0], 'EPERM'],
  ['run a program', ['execve', '/bin/true', 0, 0], 'EPERM'],
  ['start a process', ['clone', SIGCHLD, 0, 0, 0, 0], 'EPERM'],
  ['open a socket', ['socket', AF_INET, 1, 0], 'EPERM'],
  ['make a pair of sockets', ['socketpair', 1, 1, 0, new Uint8Array(8)], 'EPERM'],
  ['trace another', ['ptrace', 16, 1, 0, 0], 'EPERM'],
  ['end another', ['kill', 1, 0], 'EPERM'],
  ['load a program of BPF', ['bpf', 0, 0, 0], 'EPERM'],
  ['become root', ['setuid', 0], 'EPERM'],
];

const skipInside = skip || loudly(lacksPackages('gdb'));

describe('the opener from inside', { skip: skipInside, concurrency: false }, () => {
  let opener: Opener;
  before(async () => {
    makeCgroup('in');
    opener = await startOpener();
  });
  after(async () => {
    await stop(opener);
    await removeAll();
  });

  test('every thread is filtered, and none may gain anything', () => {
    for (const { seccomp, noNewPrivs, permitted } of threadsOf(opener.child.pid as number))
      assert.deepEqual([seccomp, noNewPrivs, permitted], [2, true, 1n << 38n]);
  });

  for (const thread of ['main', 'worker'] as const)
    test(`code that has taken it over can do nothing else: ${thread}`, () => {
      const answers = attempt(
        opener.child.pid as number,
        INSIDE.map(([, each]) => each),
        thread,
      );
      const expected = INSIDE.map(([what, , answer]) => `${what}: ${answer}`);
      assert.deepEqual(
        INSIDE.map(([what], i) => `${what}: ${answers[i]}`),
        expected,
      );
    });

  test('and it serves on', () => {
    const { errno, fds } = opener.ask(encodeRequest({ spec: SWITCHES, cpu: 0, cgroup: `${OWN}/in` }));
    assert.equal(errno, 0);
    closeEach(fds);
  });
});

describe('the opener at its limits', { skip, concurrency: false }, () => {
  test('without a descriptor to spare it says so, and serves on', async () => {
    const opener = await startOpener(['prlimit', '--nofile=64:64']);
    const request = encodeRequest({ spec: SWITCHES, cpu: 0 });
    for (let i = 0; i < 500; i += 1) {
      const { errno, fds } = opener.ask(request);
      assert.equal(errno, 0);
      closeEach(fds);
    }
    await stop(opener);
  });

  test('nobody can start one by hand and have it serve without a socket', async () => {
    const [program = '', ...rest] = [...NOBODY, ...command('p'), 'opener'];
    const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'pipe'] });
    let log = '';
    child.stderr.on('data', (chunk) => {
      log += chunk;
    });
    assert.deepEqual(await once(child, 'exit'), [1, null]);
    assert.match(log, /it is started by --privilege.mode=separated/);
  });

  test('without the capability it refuses as the kernel does', async () => {
    const [socket, other] = socketPair();
    const [program = '', ...rest] = [...NOBODY, ...command('none'), 'opener'];
    const child = spawn(program, rest, { stdio: ['ignore', 'ignore', 'inherit', other] });
    closeSync(other);
    setSocketTimeout(socket, 20_000);
    assert.equal(
      decodeHello(receiveMessage(socket, HELLO_BYTES, 0)?.bytes ?? new Uint8Array())?.privileges.effective,
      0n,
    );
    sendMessage(socket, encodeRequest({ spec: SWITCHES, cpu: 0 }));
    assert.equal(decodeAnswer(receiveMessage(socket, ANSWER_BYTES, 1)?.bytes ?? new Uint8Array()), 13);
    const ended = once(child, 'exit');
    closeSync(socket);
    assert.deepEqual(await ended, [0, null]);
  });
});
