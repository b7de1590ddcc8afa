import { defineCollector } from '../core/collector.ts';
import { alone, eachOf } from '../core/each.ts';
import { NOTHING, optional, ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { KernelFile } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { decodeName } from '../core/utf8.ts';
import type { Writer } from '../core/writer.ts';

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
 * got TERM, state. `undefined` for anything else.
 * http://smarden.org/runit/runsv.8.html
 */
export function parseStatus(bytes: Buffer, length: number): ServiceStatus | undefined {
  const state = bytes[19];
  if (length !== STATUS_BYTES || state === undefined || state > STATE_MAX) return undefined;
  return {
    state,
    wantedUp: bytes[17] === 'u'.charCodeAt(0),
    changedSeconds: Number(bytes.readBigUInt64BE(0) - TAI_OFFSET_SECONDS),
  };
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
  setup({ flags: { servicedir }, openTree }, metrics) {
    const services = openTree(servicedir);
    const folder = services.folder('');
    let known: ReadonlyMap<string, KernelFile> = new Map();
    const write = (out: Writer, name: string, file: KernelFile): void => {
      if (!file.tryRead()) return;
      const status = parseStatus(file.bytes, file.length);
      if (status === undefined) throw new ParseError(decodeName(file.path), file.text());
      // A service starts by itself unless there is a file `down` beside its `run`.
      const isHeld = optional(() => optional(() => services.sizeBytes(`${name}/down`)) !== undefined, NOTHING);
      const service = decodeName(name);
      out.sample(metrics.state, status.state, service, 'runit');
      out.sample(metrics.desired, status.wantedUp ? 1 : 0, service, 'runit');
      out.sample(metrics.normal, isHeld === undefined ? undefined : isHeld ? 0 : 1, service, 'runit');
      out.sample(metrics.changed, status.changedSeconds, service, 'runit');
    };
    return (out, turn) => {
      // runsv replaces the file.
      const statusOf = (name: string) => services.passing(`${name}/supervise/status`);
      known = new Map(folder.names().map((name) => [name, known.get(name) ?? statusOf(name)]));
      return eachOf(
        [...known],
        turn,
        alone(out, ([name, file]) => write(out, name, file)),
      );
    };
  },
});
