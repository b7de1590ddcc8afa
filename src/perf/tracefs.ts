import { errnoOf, messageOf, optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { uint } from '../core/text.ts';
import { bytesOf } from '../core/utf8.ts';

const USUAL = '/sys/kernel/tracing';

/** Where tracefs is mounted, by `/proc/mounts`; the usual place comes first. https://docs.kernel.org/trace/ftrace.html */
export function parseTracefsMounts(mounts: string): string[] {
  const points = mounts
    .split('\n')
    .map((line) => line.split(' '))
    .filter((fields) => fields[2] === 'tracefs')
    .map((fields) =>
      (fields[1] ?? '').replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
    );
  return points.sort((a, b) => Number(b === USUAL) - Number(a === USUAL));
}

export interface TracepointId {
  readonly id?: number;
  /** Where there is no id: why, and what to do. */
  readonly why?: string;
}

/** Reads the number of a tracepoint. `root` opens a folder as a tree. Never throws. */
export function readTracepointId(
  proc: Tree,
  root: (path: string) => Tree,
  subsystem: string,
  event: string,
): TracepointId {
  const name = `${subsystem}:${event}`;
  const given = `or give the number: ${name}=<id>`;
  const points = parseTracefsMounts(optional(() => proc.readOnce('mounts'), ['ENOENT', 'EACCES']) ?? '');
  let why = `tracefs is not mounted: mount -t tracefs -o mode=755 none ${USUAL} (in a container: mount the host's ${USUAL}), ${given}`;
  for (const point of points) {
    const tree = root(point);
    const file = bytesOf(`events/${subsystem}/${event}/id`);
    try {
      const text = tree.readOnce(file);
      const id = uint(text.trim());
      if (id !== undefined) return { id };
      why = `${tree.path(file)} holds no number`;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EACCES' || errno === 'EPERM')
        why = `${point} is not readable: mount -o remount,mode=755 ${point}, ${given}`;
      else if (errno === 'ENOENT') why = `this kernel has no tracepoint ${name} in ${point}/events`;
      else why = messageOf(error);
    }
  }
  return { why };
}
