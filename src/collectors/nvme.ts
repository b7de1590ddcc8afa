import { defineCollector } from '../core/collector.ts';
import { eachDevice, neededAttribute, neededUint, uintAttribute } from '../core/devices.ts';
import { NoDataError, optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';

const FOLDER = 'class/nvme';
const NAMESPACE = /nvme\d+n(\d+)/;
/** `size` counts sectors of this size whatever the namespace is formatted to. */
const BYTES_OF_SECTOR = 512;

export interface NvmeNamespace {
  readonly id: string;
  readonly anaState: string;
  readonly blockBytes: number;
  readonly sizeBytes: number;
  /** `undefined` on kernels before 6.8, which do not tell. */
  readonly usedBytes: number | undefined;
}

/** Reads a namespace's folder in sysfs. https://docs.kernel.org/block/stat.html, https://docs.kernel.org/admin-guide/abi-stable.html */
function readNamespace(sys: Tree, path: string, id: string): NvmeNamespace {
  const blockBytes = neededUint(sys, `${path}/queue/logical_block_size`);
  const blocksUsed = uintAttribute(sys, `${path}/nuse`);
  return {
    id,
    anaState: optional(() => sys.attribute(`${path}/ana_state`), ['EACCES', 'EIO', 'EINVAL']) ?? 'unknown',
    blockBytes,
    sizeBytes: neededUint(sys, `${path}/size`) * BYTES_OF_SECTOR,
    usedBytes: blocksUsed === undefined ? undefined : blocksUsed * blockBytes,
  };
}

export default defineCollector({
  name: 'nvme',
  help: 'Exposes NVMe controllers and the sizes of their namespaces.',
  enabled: true,
  reads: ['/sys/class/nvme/<device>/*', '/sys/class/nvme/<device>/<namespace>/*'],
  flags: {},
  metrics: {
    info: gauge(
      'node_nvme_info',
      'What an NVMe controller is; always 1.',
      'device',
      'firmware_revision',
      'model',
      'serial',
      'state',
      'cntlid',
    ),
    namespace: gauge(
      'node_nvme_namespace_info',
      'A namespace and how this controller reaches it; always 1.',
      'device',
      'nsid',
      'ana_state',
    ),
    capacity: gauge('node_nvme_namespace_capacity_bytes', 'Size of a namespace.', 'device', 'nsid'),
    size: gauge('node_nvme_namespace_size_bytes', 'Size of a namespace.', 'device', 'nsid'),
    used: gauge('node_nvme_namespace_used_bytes', 'How much of a namespace is in use.', 'device', 'nsid'),
    blockSize: gauge('node_nvme_namespace_logical_block_size_bytes', 'Size of a logical block.', 'device', 'nsid'),
  },
  setup({ sys }, metrics) {
    return (out, turn) => {
      const controllers = optional(() => sys.list(FOLDER));
      if (controllers === undefined) throw new NoDataError('no NVMe controllers');
      return eachDevice(controllers, turn, (device) => {
        const path = `${FOLDER}/${device}`;
        const labels = ['firmware_rev', 'model', 'serial', 'state', 'cntlid'].map((file) =>
          neededAttribute(sys, `${path}/${file}`),
        );
        out.row(metrics.info, 1, [device, ...labels]);
        for (const name of sys.list(path)) {
          const id = NAMESPACE.exec(name)?.[1];
          if (id === undefined) continue;
          const namespace = readNamespace(sys, `${path}/${name}`, id);
          out.sample(metrics.namespace, 1, device, id, namespace.anaState);
          out.sample(metrics.capacity, namespace.sizeBytes, device, id);
          out.sample(metrics.size, namespace.sizeBytes, device, id);
          if (namespace.usedBytes !== undefined) out.sample(metrics.used, namespace.usedBytes, device, id);
          out.sample(metrics.blockSize, namespace.blockBytes, device, id);
        }
      });
    };
  },
});
