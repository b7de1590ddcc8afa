import { constants } from 'node:fs';
import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { defineCollector } from '../core/collector.ts';
import { hasErrno, messageOf } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { gauge } from '../core/metric.ts';

const STATUS_BYTES = 20;
const STATE_MAX = 2;

/** TAI64's 2^62, and the ten seconds that TAI was ahead of UTC in 1970. */
const TAI_OFFSET_SECONDS = 4_611_686_018_427_387_914n;

export interface ServiceStatus {
  /** 0 down, 1 up, 2 finishing. */
  readonly state: number;
  readonly wantedUp: boolean;
  /** Unix time. */
  readonly changedSeconds: number;
}

/**
 * Parses `supervise/status`: a TAI64N time stamp of 12 bytes, the process id in 4 (little endian), paused, wanted (`u`, `d`),
 * got TERM, state. `undefined` for anything else. http://smarden.org/runit/runsv.8.html
 */
export function parseStatus(bytes: Buffer): ServiceStatus | undefined {
  const state = bytes[19];
  if (bytes.length !== STATUS_BYTES || state === undefined || state > STATE_MAX) return undefined;
  return {
    state,
    wantedUp: bytes[17] === 'u'.charCodeAt(0),
    changedSeconds: Number(bytes.readBigUInt64BE(0) - TAI_OFFSET_SECONDS),
  };
}

async function readStatus(service: string): Promise<Buffer> {
  const file = await open(join(service, 'supervise/status'), constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(STATUS_BYTES + 1), 0, STATUS_BYTES + 1, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Whether the service starts by itself: it does unless there is a file `down` beside its `run`. */
async function startsByItself(service: string): Promise<boolean> {
  try {
    await stat(join(service, 'down'));
    return false;
  } catch (error) {
    if (hasErrno(error)) return true;
    throw error;
  }
}

export default defineCollector({
  name: 'runit',
  help: 'Exposes the services that runit supervises.',
  enabled: false,
  reads: ['<servicedir>/<service>/supervise/status', '<servicedir>/<service>/down'],
  flags: { servicedir: flag.text('collector.runit.servicedir', 'Folder of the services.', '/etc/service') },
  metrics: {
    state: gauge('node_service_state', 'What the service does: 0 down, 1 up, 2 finishing.', 'service', 'supervisor'),
    desired: gauge('node_service_desired_state', 'Whether it is meant to be up now.', 'service', 'supervisor'),
    normal: gauge('node_service_normal_state', 'Whether it starts by itself.', 'service', 'supervisor'),
    changed: gauge(
      'node_service_state_last_change_timestamp_seconds',
      'When its state changed last, in Unix time.',
      'service',
      'supervisor',
    ),
  },
  // Where the folder of a service may be read only, its state is below /run.
  needs: ({ flags: { servicedir } }) => ({ files: [servicedir, `${servicedir}/*/supervise`, '/run/runit'] }),
  setup({ flags: { servicedir }, log }, metrics) {
    return async (out, turn) => {
      const services = await readdir(servicedir, { withFileTypes: true });
      for (const entry of services.sort((a, b) => (a.name < b.name ? -1 : 1))) {
        if (!entry.isDirectory() && !entry.isSymbolicLink()) continue;
        await turn.pause();
        const { name } = entry;
        try {
          const service = join(servicedir, name);
          const status = parseStatus(await readStatus(service));
          if (status === undefined) throw new Error('supervise/status is not as runsv writes it');
          const normal = await startsByItself(service);
          out.sample(metrics.state, status.state, name, 'runit');
          out.sample(metrics.desired, status.wantedUp ? 1 : 0, name, 'runit');
          out.sample(metrics.normal, normal ? 1 : 0, name, 'runit');
          out.sample(metrics.changed, status.changedSeconds, name, 'runit');
        } catch (error) {
          log.debug('service passed over', { service: name, err: messageOf(error) });
        }
      }
    };
  },
});
