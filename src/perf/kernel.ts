import { closeSync } from 'node:fs';
import { hasErrno } from '../core/errors.ts';
import { ownPrivileges } from '../syscall/capability.ts';
import { SyscallError, syscall } from '../syscall/libc.ts';
import { closeAll, hasEnded, receiveMessage, sendMessage, setSocketTimeout } from '../syscall/unix_socket.ts';
import type { Privileges } from './access.ts';
import { type CgroupFolders, openCgroupFolders } from './cgroup_folder.ts';
import type { PerfKernel } from './open.ts';
import { ANSWER_BYTES, decodeAnswer, decodeHello, encodeRequest, HELLO_BYTES, type Hello } from './opener_protocol.ts';
import { enableGroup, eventId, NO_GROUP, openEvent, readGroup } from './perf_event.ts';

/** What needs no privilege, once the counter is open. */
const plain: Omit<PerfKernel, 'open' | 'privileges'> = {
  id: eventId,
  enable: enableGroup,
  runningNs: (fd) => readGroup(fd).runningNs,
  close: closeSync,
  sleep: (ms) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms),
};

/** By their roots: each holds a descriptor for good, and whoever counts for later cgroups opens again and again. */
const trees = new Map<string, CgroupFolders>();

function foldersAt(root: string): CgroupFolders {
  const folders = trees.get(root) ?? openCgroupFolders(root);
  trees.set(root, folders);
  return folders;
}

/** Opens counters in this process. */
function directKernel(cgroupRoot: string | undefined): PerfKernel {
  return {
    ...plain,
    privileges: ownPrivileges,
    open(event, { cpu, cgroup }, leaderFd = NO_GROUP) {
      if (cgroup === undefined) return openEvent(event, cpu, leaderFd);
      return foldersAt(cgroupRoot ?? '').within(cgroup, (fd) => openEvent(event, cpu, leaderFd, fd));
    },
  };
}

/** The opener answers in microseconds; one that takes this long never will. */
const TIMEOUT_MS = 3000;
const WAITS_MAX = 3;
const WNOHANG = 1;
const ANY_CHILD = -1;
const EMFILE = 24;
const EPIPE = 32;

/** The process that opens counters for this one, as far as it is known here. */
interface Opener {
  /** `undefined` when it is gone. */
  fd: number | undefined;
  hello: Hello | undefined;
  /** How often it was waited for in vain before it said who it is: on a busy machine its start takes longer than that. */
  waits: number;
}

let opener: Opener | undefined;

/** From here on counters are opened by the process at the other end of this socket. */
export function useOpener(fd: number): void {
  setSocketTimeout(fd, TIMEOUT_MS);
  opener = { fd, hello: undefined, waits: 0 };
}

/** Nothing more is asked of it. It is the only child of this process, and one that ended is to be waited for. */
function leave(gone: Opener): void {
  if (gone.fd === undefined) return;
  closeSync(gone.fd);
  gone.fd = undefined;
  try {
    syscall('wait4', ANY_CHILD, 0, WNOHANG, 0);
  } catch {
    // There is none: ECHILD, for which Node has no name.
  }
}

/** It has ended, or does not speak as it should. */
function giveUp(gone: Opener): never {
  leave(gone);
  throw new SyscallError('perf_event_open', EPIPE);
}

/** Whether the opener is there to be asked; `undefined` where there is none. */
export function isOpenerUp(): boolean | undefined {
  if (opener?.fd !== undefined && hasEnded(opener.fd)) leave(opener);
  return opener === undefined ? undefined : opener.fd !== undefined;
}

function exchange<T>(peer: Opener, talk: (fd: number) => T | undefined): T {
  if (peer.fd === undefined) return giveUp(peer);
  try {
    return talk(peer.fd) ?? giveUp(peer);
  } catch (error) {
    if (hasErrno(error, ['EAGAIN']) && peer.hello === undefined && peer.waits < WAITS_MAX) peer.waits += 1;
    else if (hasErrno(error, ['EAGAIN', 'ECONNRESET', 'EPIPE'])) return giveUp(peer);
    throw error;
  }
}

function greeted(peer: Opener): Hello {
  peer.hello ??= exchange(peer, (fd) => {
    const message = receiveMessage(fd, HELLO_BYTES, 1);
    return message === undefined ? undefined : decodeHello(message.bytes);
  });
  return peer.hello;
}

/** Asks the opener for each counter. */
function askingKernel(peer: Opener): PerfKernel {
  return {
    ...plain,
    privileges: (): Privileges => greeted(peer).privileges,
    open(event, { cpu, cgroup }, leaderFd) {
      greeted(peer);
      const request = encodeRequest({ spec: event, cpu, ...(cgroup === undefined ? {} : { cgroup }) });
      const { errno, fds } = exchange(peer, (fd) => {
        sendMessage(fd, request, leaderFd === undefined ? [] : [leaderFd]);
        const message = receiveMessage(fd, ANSWER_BYTES, 1);
        const answer = message === undefined ? undefined : decodeAnswer(message.bytes);
        return message === undefined || answer === undefined ? undefined : { errno: answer, fds: message.fds };
      });
      const [counter] = fds;
      if (errno === 0 && counter !== undefined) return counter;
      closeAll(fds);
      // Without room for another descriptor the kernel delivers the answer alone.
      throw new SyscallError('perf_event_open', errno === 0 ? EMFILE : errno);
    },
  };
}

/** What opens counters: the opener where there is one, else this process. `cgroupRoot`: where the tree of cgroups is. */
export const perfKernel = (cgroupRoot: string | undefined): PerfKernel =>
  opener === undefined ? directKernel(cgroupRoot) : askingKernel(opener);
