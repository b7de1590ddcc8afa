import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';
import { BYTES_OF_SECTOR } from '../core/units.ts';

/** A namespace, or (`nvme6c6n1`) the path of this controller to one that several share. https://docs.kernel.org/admin-guide/nvme-multipath.html */
const NAMESPACE = /^nvme\d+(?:c\d+)?n(\d+)$/;

const INFO = ['firmware_rev', 'model', 'serial', 'state', 'cntlid'] as const;

/** https://docs.kernel.org/block/stat.html, https://docs.kernel.org/admin-guide/abi-stable.html */
export default defineCollector({
  name: 'nvme',
  help: 'Exposes NVMe controllers and the sizes of their namespaces.',
  enabled: true,
  reads: [
    '/sys/class/nvme/<device>/*',
    '/sys/class/nvme/<device>/<namespace>/*',
    '/sys/class/nvme/<device>/<namespace>/queue/logical_block_size',
  ],
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
    return sys.devices(
      'class/nvme',
      /./,
      (controller, out) => {
        const device = controller.id;
        out.row(metrics.info, 1, [device, ...INFO.map((file) => controller.word(file) ?? '')]);
        for (const name of controller.list()) {
          const id = NAMESPACE.exec(name)?.[1];
          if (id === undefined) continue;
          const namespace = controller.inside(name);
          const size = namespace.number('size')?.times(BYTES_OF_SECTOR);
          const blockSize = namespace.number('queue/logical_block_size');
          out.sample(metrics.namespace, 1, device, id, namespace.word('ana_state') ?? 'unknown');
          out.sample(metrics.capacity, size, device, id);
          out.sample(metrics.size, size, device, id);
          // Kernels before 6.8 do not say how much is in use.
          const blocksUsed = namespace.number('nuse');
          if (blocksUsed !== undefined && blockSize !== undefined)
            out.sample(metrics.used, blocksUsed.by(blockSize), device, id);
          out.sample(metrics.blockSize, blockSize, device, id);
        }
      },
      { ifAbsent: noData('no NVMe controllers') },
    );
  },
});
