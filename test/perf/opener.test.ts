import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { type TestContext, test } from 'node:test';
import { type CgroupFolders, openCgroupFolders } from '../../src/perf/cgroup_folder.ts';
import { countingTypes, type OpenerParts, serveOpener } from '../../src/perf/opener.ts';
import {
  ANSWER_BYTES,
  decodeAnswer,
  decodeHello,
  encodeRequest,
  HELLO_BYTES,
  type OpenRequest,
} from '../../src/perf/opener_protocol.ts';
import { eventId, NO_GROUP, openEvent, readGroup } from '../../src/perf/perf_event.ts';
import { openTree } from '../../src/source/source.ts';
import { openLibc, SyscallError } from '../../src/syscall/libc.ts';
import { receiveMessage, sendMessage, socketPair } from '../../src/syscall/unix_socket.ts';
import { loudly } from '../helpers/debian.ts';
import { tree } from '../helpers/scrape.ts';

const hello = { pid: 42, privileges: { effective: 1n << 38n, bounding: 3n, noNewPrivs: true, seccomp: 2 } };
const plain = { excludeUser: false, excludeKernel: false, excludeHv: false, excludeHost: false, excludeGuest: false };
const CLOCK = { ...plain, type: 1, config: 0n, config1: 0n, config2: 0n };
const SWITCHES = { ...CLOCK, config: 3n };
const { EPERM, EINVAL, EPIPE } = constants.errno;
const ESTALE = 116;
const SHUT_WR = 1;

const shutdown = (fd: number): void => {
  const { functions } = openLibc({ shutdown: { arguments: ['i32', 'i32'], return: 'i32' } });
  assert.equal(functions.shutdown(fd, SHUT_WR), 0);
};

type Sent = readonly [bytes: Uint8Array, fds?: readonly number[]];
const asking = (request: OpenRequest, fds: readonly number[] = []): Sent => [encodeRequest(request), fds];

interface Answered {
  readonly errno: number | undefined;
  readonly fds: readonly number[];
}

const openFds = (): number => readdirSync('/proc/self/fd').length;

/** Serves what was sent before the sender has said that it is all, and answers what came back. */
function serve(t: TestContext, all: readonly Sent[], parts: Partial<OpenerParts> = {}): Answered[] {
  const [own, other] = socketPair();
  t.after(() => {
    for (const fd of [own, other]) closeSync(fd);
  });
  for (const [bytes, fds] of all) sendMessage(own, bytes, fds);
  shutdown(own);
  const before = openFds();
  serveOpener({ hello, socket: other, types: new Set([1]), folders: undefined, ...parts });
  assert.equal(openFds(), before, 'the opener keeps no descriptor');
  shutdown(other);
  assert.deepEqual(decodeHello(receiveMessage(own, HELLO_BYTES, 1)?.bytes ?? new Uint8Array()), hello);
  const answers: Answered[] = [];
  for (;;) {
    const message = receiveMessage(own, ANSWER_BYTES, 1);
    if (message === undefined) return answers;
    t.after(() => message.fds.forEach((fd) => void closeSync(fd)));
    answers.push({ errno: decodeAnswer(message.bytes), fds: message.fds });
  }
}

/** What the kernel says to this user: 0, or an errno. */
function direct(spec: OpenRequest['spec'], cpu: number): number {
  try {
    closeSync(openEvent(spec, cpu, NO_GROUP));
    return 0;
  } catch (error) {
    if (error instanceof SyscallError) return -error.errno;
    throw error;
  }
}

const refused = direct(CLOCK, 0);

test('it says who it is, and ends with the other end', (t) => assert.deepEqual(serve(t, []), []));

test('what is no request, and what may not be asked, is answered with why; the next is served all the same', (t) => {
  const answers = serve(t, [
    [Buffer.from('nonsense')],
    asking({ spec: { ...CLOCK, type: 5 }, cpu: 0 }),
    asking({ spec: CLOCK, cpu: -1 }),
    asking({ spec: CLOCK, cpu: 0, cgroup: '../a' }),
    asking({ spec: CLOCK, cpu: 0, cgroup: 'a' }),
    asking({ spec: CLOCK, cpu: 0 }),
  ]);
  assert.deepEqual(
    answers.map(({ errno }) => errno),
    [EINVAL, EPERM, EPERM, EINVAL, EINVAL, refused],
  );
  assert.deepEqual(
    answers.map(({ fds }) => fds.length),
    [0, 0, 0, 0, 0, refused === 0 ? 1 : 0],
  );
});

test('a CPU that is not there is what the kernel says of it', (t) => {
  const [answer] = serve(t, [asking({ spec: CLOCK, cpu: 65_535 })]);
  assert.deepEqual(answer, { errno: direct(CLOCK, 65_535), fds: [] });
  assert.notEqual(answer?.errno, 0);
});

test('a leader that is no counter is refused, and so are two; neither stays open', (t) => {
  const files = ['r', 'r'].map((mode) => openSync('/dev/null', mode));
  t.after(() => files.forEach((fd) => void closeSync(fd)));
  const request = { spec: CLOCK, cpu: 0 };
  const answers = serve(t, [asking(request, files), asking(request, files.slice(1))]);
  assert.deepEqual(answers[0], { errno: EINVAL, fds: [] });
  assert.ok((answers[1]?.errno ?? 0) > 0);
});

const skip = loudly(refused !== 0 && `the kernel opens no counter for this user: errno ${refused}`);

test('counters arrive, those of a group beside their leader', { skip }, (t) => {
  const [leader] = serve(t, [asking({ spec: CLOCK, cpu: 0 })]);
  const leaderFd = leader?.fds[0] as number;
  const [member] = serve(t, [asking({ spec: SWITCHES, cpu: 0 }, [leaderFd])]);
  const ids = [leaderFd, member?.fds[0] as number].map(eventId);
  assert.deepEqual(
    readGroup(leaderFd).members.map(({ id }) => id),
    ids,
  );
});

/** A tree of cgroups of this machine. */
const folders = ['/sys/fs/cgroup', '/sys/fs/cgroup/perf_event']
  .map((root) => {
    try {
      return openCgroupFolders(root);
    } catch {
      return undefined;
    }
  })
  .find((each): each is CgroupFolders => each !== undefined);

test('a cgroup that is gone is stale', { skip: loudly(folders === undefined && 'no tree of cgroups here') }, (t) =>
  assert.deepEqual(serve(t, [asking({ spec: CLOCK, cpu: 0, cgroup: 'keyhole-none' })], { folders }), [
    { errno: ESTALE, fds: [] },
  ]),
);

test('who is gone before it is told who this is ends the opener', () => {
  const [own, other] = socketPair();
  closeSync(own);
  assert.throws(
    () => serveOpener({ hello, socket: other, types: new Set([1]), folders: undefined }),
    (error) => error instanceof SyscallError && -error.errno === EPIPE,
  );
  closeSync(other);
});

test('what counts is the kernel itself and the PMUs that count', (t) => {
  const devices = 'bus/event_source/devices';
  const root = tree(t, {
    [`${devices}/cpu/type`]: '4\n',
    [`${devices}/power/type`]: '12\n',
    [`${devices}/intel_pt/type`]: '8\n',
    [`${devices}/kprobe/type`]: '6\n',
  });
  assert.deepEqual(
    [...countingTypes(openTree(root))].toSorted((a, b) => a - b),
    [0, 1, 2, 3, 4, 12],
  );
});
