import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Line } from '../core/host.ts';
import { counter, type Family, gauge } from '../core/metric.ts';
import { BYTES_OF_KIB } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';

const NODES = ['local', 'remote'] as const;
/** Of a line that begins a device. */
const DEVICE = /^([0-9]+):$/;

export default defineCollector({
  name: 'drbd',
  help: 'Exposes replicated block devices (DRBD 8).',
  enabled: false,
  reads: ['/proc/drbd'],
  flags: {},
  /** `/proc/drbd` of DRBD 8. https://linbit.com/drbd-user-guide/users-guide-drbd-8-4/#s-proc-drbd */
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
    const numbers = new Map<string, readonly [Family<readonly ['device']>, number]>([
      ['ns:', [metrics.sent, BYTES_OF_KIB]],
      // In KiB as the others, but node_exporter gives it as it is.
      ['nr:', [metrics.received, 1]],
      ['dw:', [metrics.written, BYTES_OF_KIB]],
      ['dr:', [metrics.read, BYTES_OF_KIB]],
      ['al:', [metrics.activityLog, 1]],
      ['bm:', [metrics.bitmap, 1]],
      ['lo:', [metrics.localPending, 1]],
      ['pe:', [metrics.remotePending, 1]],
      ['ua:', [metrics.unacknowledged, 1]],
      ['ap:', [metrics.applicationPending, 1]],
      ['ep:', [metrics.epochs, 1]],
      ['oos:', [metrics.outOfSync, BYTES_OF_KIB]],
    ]);
    const pairs = new Map<string, readonly [Family<readonly ['device', 'node']>, string]>([
      ['ro:', [metrics.primary, 'Primary']],
      ['ds:', [metrics.upToDate, 'UpToDate']],
    ]);
    const writeWord = (line: Line, column: number, device: string, out: LayoutWriter): void => {
      const key = line.upTo(column, ':') ?? '';
      const [quantity, scale = 1] = numbers.get(key) ?? [];
      if (quantity !== undefined) out.sample(quantity, line.uint(column, key).times(scale), device);
      if (key === 'cs:') out.sample(metrics.connected, line.word(column) === 'cs:Connected' ? 1 : 0, device);
      const [family, good] = pairs.get(key) ?? [];
      if (family === undefined) return;
      const states = line.word(column).slice(key.length).split('/');
      if (states.length !== NODES.length) throw line.fault();
      for (const [i, node] of NODES.entries()) out.sample(family, states[i] === good ? 1 : 0, device, node);
    };
    return proc.table(
      'drbd',
      (lines, out) => {
        let device: string | undefined = 'unknown';
        lines.each((line) => {
          const head = line.upTo(0, ':') ?? '';
          const number = DEVICE.exec(head)?.[1];
          if (number !== undefined) device = `drbd${number}`;
          else if (line.upTo(1, ':') === 'cs:') {
            // What follows is of no device that we know.
            device = undefined;
            throw line.fault();
          }
          // Lines of versions and of progress are others.
          else if (!numbers.has(head) && !pairs.has(head) && head !== 'cs:') return;
          if (device === undefined) return;
          for (let column = 0; column < line.length; column += 1) writeWord(line, column, device, out);
        });
      },
      { ifAbsent: noData('no DRBD') },
    );
  },
});
