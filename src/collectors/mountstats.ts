import { defineCollector } from '../core/collector.ts';
import { unsaid } from '../core/faults.ts';
import { counter, gauge } from '../core/metric.ts';
import { MS_OF_SECOND } from '../core/units.ts';
import type { Writer } from '../core/writer.ts';
import { type Mount, parseMountinfo, parseMountOptions } from '../parse/mountinfo.ts';
import { type NfsMount, parseMountstats } from '../parse/mountstats.ts';

const MOUNT = ['export', 'protocol', 'mountaddr'] as const;

const perMount = (name: string, help: string) => counter(`node_mountstats_nfs_${name}_total`, help, ...MOUNT);
const event = (name: string, help: string) => perMount(`event_${name}`, help);
const transport = (name: string, help: string) =>
  counter(`node_mountstats_nfs_transport_${name}_total`, help, ...MOUNT, 'transport');
const operation = (name: string, help: string) =>
  counter(`node_mountstats_nfs_operations_${name}_total`, help, ...MOUNT, 'operation');

/** In the order of the line `bytes:`. */
const bytes = {
  read_bytes: perMount('read_bytes', 'Bytes that programs read.'),
  write_bytes: perMount('write_bytes', 'Bytes that programs wrote.'),
  direct_read_bytes: perMount('direct_read_bytes', 'Bytes read with O_DIRECT.'),
  direct_write_bytes: perMount('direct_write_bytes', 'Bytes written with O_DIRECT.'),
  total_read_bytes: perMount('total_read_bytes', 'Bytes read from the server.'),
  total_write_bytes: perMount('total_write_bytes', 'Bytes written to the server.'),
  read_pages: perMount('read_pages', 'Pages read through the page cache.'),
  write_pages: perMount('write_pages', 'Pages written through the page cache.'),
} as const;

/** In the order of the line `events:`. */
const events = {
  inode_revalidate: event('inode_revalidate', 'Times that cached attributes of inodes were checked.'),
  dnode_revalidate: event('dnode_revalidate', 'Times that cached directory entries were checked.'),
  data_invalidate: event('data_invalidate', 'Times that the cached data of an inode were dropped.'),
  attribute_invalidate: event('attribute_invalidate', 'Times that the cached attributes of an inode were dropped.'),
  vfs_open: event('vfs_open', 'Files and folders opened.'),
  vfs_lookup: event('vfs_lookup', 'Names looked up.'),
  vfs_access: event('vfs_access', 'Permissions checked.'),
  vfs_update_page: event('vfs_update_page', 'Updates of pages.'),
  vfs_read_page: event('vfs_read_page', 'Single pages read.'),
  vfs_read_pages: event('vfs_read_pages', 'Groups of pages read.'),
  vfs_write_page: event('vfs_write_page', 'Single pages written.'),
  vfs_write_pages: event('vfs_write_pages', 'Groups of pages written.'),
  vfs_getdents: event('vfs_getdents', 'Reads of folders.'),
  vfs_setattr: event('vfs_setattr', 'Changes of attributes.'),
  vfs_flush: event('vfs_flush', 'Flushes of pending writes.'),
  vfs_fsync: event('vfs_fsync', 'Synchronizations of files.'),
  vfs_lock: event('vfs_lock', 'Attempts to lock.'),
  vfs_file_release: event('vfs_file_release', 'Files closed.'),
  truncation: event('truncation', 'Files made shorter.'),
  write_extension: event('write_extension', 'Files made longer by a write.'),
  silly_rename: event('silly_rename', 'Open files that were removed and so renamed.'),
  short_read: event('short_read', 'Reads that gave less than asked for.'),
  short_write: event('short_write', 'Writes that took less than given.'),
  jukebox_delay: event('jukebox_delay', 'Delays as the server fetched a file from slow storage.'),
  pnfs_read: event('pnfs_read', 'Parallel NFS reads.'),
  pnfs_write: event('pnfs_write', 'Parallel NFS writes.'),
} as const;

const metrics = {
  mountpoint: gauge(
    'node_mountstats_nfs_mountpoint_info',
    'Where an export is mounted; the value is always 1.',
    ...MOUNT,
    'mountpoint',
  ),
  age: perMount('age_seconds', 'Seconds since the export was mounted.'),
  ...bytes,
  bind: transport('bind', 'Times that the client bound a port.'),
  connect: transport('connect', 'Times that the client connected.'),
  idle: gauge(
    'node_mountstats_nfs_transport_idle_time_seconds',
    'Seconds since the transport was last used.',
    ...MOUNT,
    'transport',
  ),
  sends: transport('sends', 'Requests sent.'),
  receives: transport('receives', 'Replies received.'),
  badIds: transport('bad_transaction_ids', 'Replies to no known request.'),
  backlog: transport('backlog_queue', 'Requests in the backlog queue, summed at every request sent.'),
  slots: gauge(
    'node_mountstats_nfs_transport_maximum_rpc_slots',
    'Most requests under way at a time.',
    ...MOUNT,
    'transport',
  ),
  sending: transport('sending_queue', 'Requests in the sending queue, summed at every request sent.'),
  pending: transport('pending_queue', 'Requests in the pending queue, summed at every request sent.'),
  requests: operation('requests', 'Requests made.'),
  transmissions: operation('transmissions', 'Requests sent, with those sent again.'),
  timeouts: operation('major_timeouts', 'Requests without an answer in time.'),
  sent: operation('sent_bytes', 'Bytes sent, with headers.'),
  received: operation('received_bytes', 'Bytes received, with headers.'),
  queueTime: operation('queue_time_seconds', 'Time that requests waited before they were sent.'),
  responseTime: operation('response_time_seconds', 'Time from sending requests to their replies.'),
  requestTime: operation('request_time_seconds', 'Time from making requests to their end.'),
  ...events,
} as const;

type Labels = readonly [exported: string, protocol: string, address: string];

function writeMount(mount: NfsMount, labels: Labels, out: Writer): void {
  out.sample(metrics.age, mount.ageSeconds, ...labels);
  for (const [i, family] of Object.values(bytes).entries()) out.sample(family, mount.bytes[i], ...labels);
  for (const [i, family] of Object.values(events).entries()) out.sample(family, mount.events[i], ...labels);
  for (const [index, each] of mount.transports.entries()) {
    if (each === undefined) continue;
    const all = [...labels, String(index)] as const;
    out.sample(metrics.bind, each.binds, ...all);
    out.sample(metrics.connect, each.connects, ...all);
    out.sample(metrics.idle, each.idleSeconds, ...all);
    out.sample(metrics.sends, each.sends, ...all);
    out.sample(metrics.receives, each.receives, ...all);
    out.sample(metrics.badIds, each.badIds, ...all);
    out.sample(metrics.backlog, each.backlog, ...all);
    out.sample(metrics.slots, each.slots, ...all);
    out.sample(metrics.sending, each.sending, ...all);
    out.sample(metrics.pending, each.pending, ...all);
  }
  for (const each of mount.operations) {
    const all = [...labels, each.name] as const;
    out.sample(metrics.requests, each.requests, ...all);
    out.sample(metrics.transmissions, each.transmissions, ...all);
    out.sample(metrics.timeouts, each.timeouts, ...all);
    out.sample(metrics.sent, each.sentBytes, ...all);
    out.sample(metrics.received, each.receivedBytes, ...all);
    out.sample(metrics.queueTime, each.queueMs / MS_OF_SECOND, ...all);
    out.sample(metrics.responseTime, each.responseMs / MS_OF_SECOND, ...all);
    out.sample(metrics.requestTime, each.requestMs / MS_OF_SECOND, ...all);
  }
}

/** The server's address. Both files list the mounts in the same order, but a mount may come between the two reads. */
function addressOf({ index, device, mountPoint }: NfsMount, mounts: readonly Mount[]): string {
  const same = (mount: Mount | undefined): boolean => mount?.source === device;
  const found = same(mounts[index])
    ? mounts[index]
    : mounts.find((mount) => same(mount) && mount.mountPoint === mountPoint);
  return found === undefined ? '' : (parseMountOptions(found.superOptions).get('addr') ?? '');
}

export default defineCollector({
  name: 'mountstats',
  help: 'Exposes what NFS mounts have done.',
  enabled: false,
  reads: ['/proc/self/mountstats', '/proc/self/mountinfo'],
  flags: {},
  metrics,
  setup({ proc }) {
    const file = proc.lasting('self/mountstats');
    // Kept open from now on: a process that may not be traced cannot open its own any more. Each scrape says why it cannot.
    file.tryRead(unsaid);
    const mountstats = file.as(parseMountstats);
    // Of an odd line the filesystem collector speaks.
    const mountinfo = proc.file('self/mountinfo').as((text) => parseMountinfo(text));
    return async (out, turn) => {
      file.read();
      const { mounts = [], faults = [] } = mountstats(out) ?? {};
      const known = (mounts.length === 0 ? undefined : mountinfo(out)) ?? [];
      const seen = new Set<string>();
      const once = (...key: readonly string[]): boolean => seen.size !== seen.add(key.join('\0')).size;
      for (const mount of mounts) {
        await turn.pause();
        const { protocol } = mount;
        if (protocol === undefined) continue;
        // The kernel's escapes for blanks (`\040`) stay in the labels, as in the reference's.
        const labels: Labels = [mount.device, protocol, addressOf(mount, known)];
        if (once(...labels, mount.mountPoint)) out.sample(metrics.mountpoint, 1, ...labels, mount.mountPoint);
        if (once(...labels)) writeMount(mount, labels, out);
      }
      for (const fault of faults) out.fault(fault);
    };
  },
});
