import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { counter } from '../core/metric.ts';
import { type Layout, NFS_METHODS, rpcStatsOf } from '../parse/rpc_stats.ts';

const FILE = 'net/rpc/nfs';

/**
 * The operations that the NFSv4 client counts, in the order of the kernel's `<linux/nfs4.h>`, but for LayoutGet and
 * GetDeviceInfo: node_exporter has these two the wrong way round, and what is computed from them must stay the same.
 */
const CLIENT_V4 = `
  Null Read Write Commit Open OpenConfirm OpenNoattr OpenDowngrade Close Setattr FsInfo Renew SetClientID
  SetClientIDConfirm Lock Lockt Locku Access Getattr Lookup LookupRoot Remove Rename Link Symlink Create Pathconf
  StatFs ReadLink ReadDir ServerCaps DelegReturn GetACL SetACL FsLocations ReleaseLockowner Secinfo FsidPresent
  ExchangeID CreateSession DestroySession Sequence GetLeaseTime ReclaimComplete GetDeviceInfo LayoutGet
  LayoutCommit LayoutReturn SecinfoNoName TestStateID FreeStateID GetDeviceList BindConnToSession DestroyClientID
  Seek Allocate DeAllocate LayoutStats Clone`
  .trim()
  .split(/\s+/);

const LAYOUTS: Readonly<Record<string, Layout>> = {
  net: { kind: 'fixed', count: 4 },
  rpc: { kind: 'fixed', count: 3 },
  proc2: { kind: 'counted', least: NFS_METHODS[2].length },
  proc3: { kind: 'counted', least: NFS_METHODS[3].length },
  // Older kernels know fewer operations, newer ones more.
  proc4: { kind: 'counted', least: 0 },
};

const METHODS = Object.entries({ 2: NFS_METHODS[2], 3: NFS_METHODS[3], 4: CLIENT_V4 });

export default defineCollector({
  name: 'nfs',
  help: 'Exposes what the NFS client of this machine has sent.',
  enabled: true,
  reads: ['/proc/net/rpc/nfs'],
  flags: {},
  metrics: {
    packets: counter('node_nfs_packets_total', 'Packets that the NFS client sent and received.', 'protocol'),
    connections: counter('node_nfs_connections_total', 'TCP connections that the NFS client made.'),
    rpcs: counter('node_nfs_rpcs_total', 'Remote procedure calls of the NFS client.'),
    retransmissions: counter('node_nfs_rpc_retransmissions_total', 'Remote procedure calls that were sent again.'),
    refreshes: counter(
      'node_nfs_rpc_authentication_refreshes_total',
      'Times that credentials for remote procedure calls were refreshed.',
    ),
    requests: counter('node_nfs_requests_total', 'NFS procedures called.', 'method', 'proto'),
  },
  /** `/proc/net/rpc/nfs` is written by net/sunrpc/stats.c. https://docs.kernel.org/filesystems/nfs/index.html */
  setup({ proc }, metrics) {
    return proc.table(
      FILE,
      (lines, out) => {
        const stats = rpcStatsOf(lines, LAYOUTS, out);
        out.sample(metrics.packets, stats.at('net', 2), 'tcp');
        out.sample(metrics.packets, stats.at('net', 1), 'udp');
        out.sample(metrics.connections, stats.at('net', 3));
        out.sample(metrics.rpcs, stats.at('rpc', 0));
        out.sample(metrics.retransmissions, stats.at('rpc', 1));
        out.sample(metrics.refreshes, stats.at('rpc', 2));
        // A version or an operation that this kernel has not is 0: never requested.
        for (const [proto, methods] of METHODS)
          for (const [i, method] of methods.entries())
            out.sample(metrics.requests, stats.orNone(`proc${proto}`, i), method, proto);
      },
      { ifAbsent: noData('there is no NFS client on this machine') },
    );
  },
});
