import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Value } from '../core/reading.ts';
import { type Layout, NFS_METHODS, type RpcStats, rpcStatsOf } from '../parse/rpc_stats.ts';

const FILE = 'net/rpc/nfsd';

/** The operations of NFSv4.0 that are exposed, by their number in the protocol (RFC 7530). */
const SERVER_V4: readonly (readonly [operation: number, method: string])[] = [
  ...'Access Close Commit Create DelegPurge DelegReturn GetAttr GetFH Link Lock Lockt Locku Lookup LookupRoot Nverify Open OpenAttr OpenConfirm OpenDgrd PutFH'
    .split(' ')
    .map((method, i) => [3 + i, method] as const),
  ...'Read ReadDir ReadLink Remove Rename Renew RestoreFH SaveFH SecInfo SetAttr SetClientID SetClientIDConfirm Verify Write RelLockOwner'
    .split(' ')
    .map((method, i) => [25 + i, method] as const),
];

const LAYOUTS: Readonly<Record<string, Layout>> = {
  rc: { kind: 'fixed', count: 3 },
  fh: { kind: 'fixed', count: 5 },
  io: { kind: 'fixed', count: 2 },
  // Then come the seconds of a histogram that the kernel no longer fills.
  th: { kind: 'leading', count: 2 },
  ra: { kind: 'fixed', count: 12 },
  net: { kind: 'fixed', count: 4 },
  rpc: { kind: 'fixed', count: 5 },
  proc2: { kind: 'counted', least: NFS_METHODS[2].length },
  proc3: { kind: 'counted', least: NFS_METHODS[3].length },
  proc4: { kind: 'counted', least: 2 },
  // The last of NFSv4.0, RELEASE_LOCKOWNER, may be missing.
  proc4ops: { kind: 'counted', least: 39 },
  wdeleg_getattr: { kind: 'fixed', count: 1 },
};

/** The requests by version of the protocol and method. A version that this kernel does not serve has had none. */
function* requestsOf(stats: RpcStats): Generator<readonly [proto: string, method: string, count: Value]> {
  for (const proto of ['2', '3'] as const)
    for (const [i, method] of NFS_METHODS[proto].entries())
      if (method !== 'Null') yield [proto, method, stats.orNone(`proc${proto}`, i)];
  for (const [operation, method] of SERVER_V4) yield ['4', method, stats.orNone('proc4ops', operation)];
  yield ['4', 'WdelegGetattr', stats.orNone('wdeleg_getattr', 0)];
}

const metrics = {
  requests: counter('node_nfsd_requests_total', 'NFS procedures served.', 'method', 'proto'),
  hits: counter('node_nfsd_reply_cache_hits_total', 'Requests that the reply cache answered: they had come before.'),
  misses: counter('node_nfsd_reply_cache_misses_total', 'Requests that were put into the reply cache.'),
  nocache: counter('node_nfsd_reply_cache_nocache_total', 'Requests that need no reply cache, being idempotent.'),
  stale: counter('node_nfsd_file_handles_stale_total', 'File handles of clients that led to nothing any more.'),
  read: counter('node_nfsd_disk_bytes_read_total', 'Bytes read for clients.'),
  written: counter('node_nfsd_disk_bytes_written_total', 'Bytes written for clients.'),
  threads: gauge('node_nfsd_server_threads', 'Threads of the NFS server.'),
  cacheSize: gauge('node_nfsd_read_ahead_cache_size_blocks', 'Size of the read-ahead cache, in blocks.'),
  cacheNotFound: counter('node_nfsd_read_ahead_cache_not_found_total', 'Reads not found in the read-ahead cache.'),
  packets: counter('node_nfsd_packets_total', 'Packets that the NFS server received.', 'proto'),
  connections: counter('node_nfsd_connections_total', 'TCP connections that the NFS server took.'),
  errors: counter('node_nfsd_rpc_errors_total', 'Remote procedure calls refused, by what was wrong.', 'error'),
  rpcs: counter('node_nfsd_server_rpcs_total', 'Remote procedure calls that the NFS server took.'),
} as const;

/** Which values of which lines are told: the label of the line, the place of the value, the family, its label value. */
const EXPOSED = [
  ['rc', 0, metrics.hits],
  ['rc', 1, metrics.misses],
  ['rc', 2, metrics.nocache],
  ['fh', 0, metrics.stale],
  ['io', 0, metrics.read],
  ['io', 1, metrics.written],
  ['th', 0, metrics.threads],
  ['ra', 0, metrics.cacheSize],
  ['ra', 11, metrics.cacheNotFound],
  ['net', 1, metrics.packets, 'udp'],
  ['net', 2, metrics.packets, 'tcp'],
  ['net', 3, metrics.connections],
  ['rpc', 0, metrics.rpcs],
  ['rpc', 2, metrics.errors, 'fmt'],
  ['rpc', 3, metrics.errors, 'auth'],
  ['rpc', 4, metrics.errors, 'cInt'],
] as const;

export default defineCollector({
  name: 'nfsd',
  help: 'Exposes what the NFS server of this machine has served.',
  enabled: true,
  reads: ['/proc/net/rpc/nfsd'],
  flags: {},
  metrics,
  /** `/proc/net/rpc/nfsd` is written by fs/nfsd/stats.c. https://docs.kernel.org/filesystems/nfs/index.html */
  setup({ proc }) {
    return proc.table(
      FILE,
      (lines, out) => {
        const stats = rpcStatsOf(lines, LAYOUTS, out);
        for (const [label, place, family, ...values] of EXPOSED) out.row(family, stats.at(label, place), values);
        for (const [proto, method, count] of requestsOf(stats)) out.sample(metrics.requests, count, method, proto);
      },
      { ifAbsent: noData('there is no NFS server on this machine') },
    );
  },
});
