import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional, ParseError } from '../core/errors.ts';
import { counter, gauge } from '../core/metric.ts';
import { fields, uint } from '../core/text.ts';

export interface DrbdDevice {
  readonly name: string;
  /** By the kernel's abbreviation: `ns`, `nr`, `cs`, `ro`, … */
  readonly values: ReadonlyMap<string, string>;
}

/** Parses `/proc/drbd` of DRBD 8. https://linbit.com/drbd-user-guide/users-guide-drbd-8-4/#s-proc-drbd */
export function parseDrbd(text: string): DrbdDevice[] {
  const devices: { name: string; values: Map<string, string> }[] = [];
  for (const word of fields(text)) {
    const [key = '', value, more] = word.split(':');
    if (value === undefined || more !== undefined) continue;
    if (value === '' && uint(key) !== undefined) {
      devices.push({ name: `drbd${key}`, values: new Map() });
      continue;
    }
    if (devices.length === 0) devices.push({ name: 'unknown', values: new Map() });
    devices.at(-1)?.values.set(key, value);
  }
  return devices;
}

const NODES = ['local', 'remote'] as const;
const BYTES_OF_KIB = 1024;

export default defineCollector({
  name: 'drbd',
  help: 'Exposes replicated block devices (DRBD 8).',
  enabled: false,
  reads: ['/proc/drbd'],
  flags: {},
  metrics: {
    sent: counter('node_drbd_network_sent_bytes_total', 'Bytes sent to the other node.', 'device'),
    received: counter(
      'node_drbd_network_received_bytes_total',
      'KiB received from the other node, whatever the name says.',
      'device',
    ),
    written: counter('node_drbd_disk_written_bytes_total', 'Bytes written to the disk below.', 'device'),
    read: counter('node_drbd_disk_read_bytes_total', 'Bytes read from the disk below.', 'device'),
    activityLog: counter('node_drbd_activitylog_writes_total', 'Updates of the activity log.', 'device'),
    bitmap: counter('node_drbd_bitmap_writes_total', 'Updates of the bitmap.', 'device'),
    localPending: gauge('node_drbd_local_pending', 'Requests to the disk below that are under way.', 'device'),
    remotePending: gauge('node_drbd_remote_pending', 'Requests sent that the other node has not answered.', 'device'),
    unacknowledged: gauge(
      'node_drbd_remote_unacknowledged',
      'Requests of the other node that have not been answered.',
      'device',
    ),
    applicationPending: gauge(
      'node_drbd_application_pending',
      'Requests of applications that have not been answered.',
      'device',
    ),
    epochs: gauge('node_drbd_epochs', 'Epochs under way.', 'device'),
    outOfSync: gauge('node_drbd_out_of_sync_bytes', 'Bytes that differ, or may, between the nodes.', 'device'),
    primary: gauge('node_drbd_node_role_is_primary', 'Whether the node is primary (1).', 'device', 'node'),
    upToDate: gauge(
      'node_drbd_disk_state_is_up_to_date',
      'Whether the disk of the node is up to date (1).',
      'device',
      'node',
    ),
    connected: gauge('node_drbd_connected', 'Whether the nodes are connected (1).', 'device'),
  },
  setup({ proc }, metrics) {
    const numbers = [
      ['ns', metrics.sent, BYTES_OF_KIB],
      // In KiB as the others, but node_exporter gives it as it is.
      ['nr', metrics.received, 1],
      ['dw', metrics.written, BYTES_OF_KIB],
      ['dr', metrics.read, BYTES_OF_KIB],
      ['al', metrics.activityLog, 1],
      ['bm', metrics.bitmap, 1],
      ['lo', metrics.localPending, 1],
      ['pe', metrics.remotePending, 1],
      ['ua', metrics.unacknowledged, 1],
      ['ap', metrics.applicationPending, 1],
      ['ep', metrics.epochs, 1],
      ['oos', metrics.outOfSync, BYTES_OF_KIB],
    ] as const;
    const pairs = [
      ['ro', metrics.primary, 'Primary'],
      ['ds', metrics.upToDate, 'UpToDate'],
    ] as const;
    return (out) => {
      const text = optional(() => proc.readOnce('drbd'));
      if (text === undefined) throw new NoDataError('no DRBD');
      for (const { name, values } of parseDrbd(text)) {
        for (const [key, metric, scale] of numbers) {
          const word = values.get(key);
          const value = uint(word);
          if (value !== undefined) out.sample(metric, value * scale, name);
          else if (word !== undefined) throw new ParseError('drbd', `${key}:${word}`);
        }
        for (const [key, metric, good] of pairs) {
          const word = values.get(key);
          if (word === undefined) continue;
          const states = word.split('/');
          if (states.length !== NODES.length) throw new ParseError('drbd', `${key}:${word}`);
          for (const [i, node] of NODES.entries()) out.sample(metric, states[i] === good ? 1 : 0, name, node);
        }
        const connection = values.get('cs');
        if (connection !== undefined) out.sample(metrics.connected, connection === 'Connected' ? 1 : 0, name);
      }
    };
  },
});
