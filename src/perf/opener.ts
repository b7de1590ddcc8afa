import type { Tree } from '../core/host.ts';
import { SyscallError } from '../syscall/libc.ts';
import { closeAll, type ReceivedMessage, receiveMessage, sendMessage } from '../syscall/unix_socket.ts';
import {
  PERF_TYPE_HARDWARE,
  PERF_TYPE_HW_CACHE,
  PERF_TYPE_RAW,
  PERF_TYPE_SOFTWARE,
  PERF_TYPE_TRACEPOINT,
} from './catalog.ts';
import type { CgroupFolders } from './cgroup_folder.ts';
import {
  decodeRequest,
  encodeAnswer,
  encodeHello,
  type Hello,
  type OpenRequest,
  REQUEST_BYTES_MAX,
} from './opener_protocol.ts';
import { NO_GROUP, openEvent } from './perf_event.ts';
import { PMU_TYPE_SHIFT } from './planned.ts';
import { isCounting, readPmus } from './pmu.ts';

/**
 * The process that keeps the capability: it opens counters for the sealed one, and does nothing else. What it is asked is not
 * believed: it builds the structure for the kernel itself, and that can count, on one CPU, and never sample.
 */

const EINVAL = 22;
const EPERM = 1;
const EIO = 5;
const CPU_MAX = 65535;
/** A leader, and room to see that there are more. */
const FDS_MAX = 4;

/** `include/uapi/linux/perf_event.h`: what BPF programs write to, and the last that the kernel counts. */
const SW_BPF_OUTPUT = 10n;
const SW_LAST = 11n;

/** The types whose events count. A PMU that records or puts probes into the kernel's code is none of them. */
export function countingTypes(sys: Tree): ReadonlySet<number> {
  const own = readPmus(sys).filter(({ name }) => isCounting(name));
  const all = [PERF_TYPE_HARDWARE, PERF_TYPE_SOFTWARE, PERF_TYPE_TRACEPOINT, PERF_TYPE_HW_CACHE, PERF_TYPE_RAW];
  return new Set([...all, ...own.map(({ type }) => type)]);
}

/** Whether a request only counts. */
export function isAllowed({ spec: { type, config }, cpu }: OpenRequest, types: ReadonlySet<number>): boolean {
  if (cpu < 0 || cpu > CPU_MAX || !types.has(type)) return false;
  if (type === PERF_TYPE_SOFTWARE) return config <= SW_LAST && config !== SW_BPF_OUTPUT;
  if (type !== PERF_TYPE_HARDWARE && type !== PERF_TYPE_HW_CACHE) return true;
  return types.has(Number(config >> PMU_TYPE_SHIFT));
}

export interface OpenerParts {
  /** Who it is, for the sealed process. */
  readonly hello: Hello;
  /** Connected with the sealed process. */
  readonly socket: number;
  readonly types: ReadonlySet<number>;
  /** Missing where the machine has no tree of cgroups. */
  readonly folders: CgroupFolders | undefined;
  /** Gives back what only the start has needed, and the first requests. */
  readonly giveBack?: () => void;
}

const errnoNumber = (error: unknown): number => (error instanceof SyscallError ? -error.errno : EIO);

/** Opens what is asked for; a positive errno in the place of a descriptor that it does not get. */
function serveOne(
  { types, folders }: OpenerParts,
  { bytes, fds }: ReceivedMessage,
): { fd: number } | { errno: number } {
  const request = decodeRequest(bytes);
  if (request === undefined || fds.length > 1) return { errno: EINVAL };
  if (!isAllowed(request, types)) return { errno: EPERM };
  const { spec, cpu, cgroup } = request;
  const leaderFd = fds[0] ?? NO_GROUP;
  try {
    if (cgroup === undefined) return { fd: openEvent(spec, cpu, leaderFd) };
    if (folders === undefined) return { errno: EINVAL };
    return { fd: folders.within(cgroup, (cgroupFd) => openEvent(spec, cpu, leaderFd, cgroupFd)) };
  } catch (error) {
    return { errno: errnoNumber(error) };
  }
}

/** By then whatever is called is compiled. It takes some hundredths of a second, so that there are not many of them. */
const SETTLED_REQUESTS: readonly number[] = [100, 5000];

/** Serves until the other end is gone. Blocks: the process has nothing else to do. */
export function serveOpener(parts: OpenerParts): void {
  const { socket, hello, giveBack } = parts;
  sendMessage(socket, encodeHello(hello));
  for (let count = 1; ; count += 1) {
    const message = receiveMessage(socket, REQUEST_BYTES_MAX, FDS_MAX);
    if (message === undefined) return;
    const result = serveOne(parts, message);
    closeAll(message.fds);
    if ('fd' in result) {
      try {
        sendMessage(socket, encodeAnswer(0), [result.fd]);
      } finally {
        closeAll([result.fd]);
      }
    } else sendMessage(socket, encodeAnswer(result.errno));
    if (SETTLED_REQUESTS.includes(count)) giveBack?.();
  }
}
