import { defineCollector } from '../core/collector.ts';
import { eachDevice, neededAttribute, neededUint } from '../core/devices.ts';
import { NoDataError, optional } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';

const BYTES_OF_SECTOR = 512;
const WORKING: readonly string[] = ['running', 'live'];
const DEVICE = ['device', 'sysfs_name'] as const;

export default defineCollector({
  name: 'dmmultipath',
  help: 'Exposes multipath devices of the device mapper and the state of their paths.',
  enabled: true,
  reads: [
    '/sys/block/<dm>/dm/uuid',
    '/sys/block/<dm>/dm/name',
    '/sys/block/<dm>/dm/suspended',
    '/sys/block/<dm>/size',
    '/sys/block/<dm>/slaves/*',
    '/sys/block/<slave>/device/state',
  ],
  flags: {},
  metrics: {
    info: gauge('node_dmmultipath_device_info', 'A multipath device; always 1.', ...DEVICE, 'uuid'),
    active: gauge('node_dmmultipath_device_active', 'Whether the device works (1) or is suspended (0).', ...DEVICE),
    size: gauge('node_dmmultipath_device_size_bytes', 'Size of the device.', ...DEVICE),
    paths: gauge('node_dmmultipath_device_paths', 'Paths to the device.', ...DEVICE),
    pathsActive: gauge('node_dmmultipath_device_paths_active', 'Paths that work: running or live.', ...DEVICE),
    pathsFailed: gauge('node_dmmultipath_device_paths_failed', 'Paths in any other state.', ...DEVICE),
    pathState: gauge('node_dmmultipath_path_state', 'A path and its state; always 1.', 'device', 'path', 'state'),
  },
  setup({ sys }, metrics) {
    return (out, turn) => {
      const names = optional(() => sys.list('block'), ['ENOENT', 'ENOTDIR', 'EACCES']);
      if (names === undefined) throw new NoDataError('no block devices');
      const mapped = names.filter((name) => name.startsWith('dm-'));
      return eachDevice(mapped, turn, (sysfsName) => {
        const path = `block/${sysfsName}`;
        const uuid = neededAttribute(sys, `${path}/dm/uuid`);
        if (!uuid.startsWith('mpath-')) return;
        const device = neededAttribute(sys, `${path}/dm/name`);
        const suspended = neededAttribute(sys, `${path}/dm/suspended`);
        const sectors = neededUint(sys, `${path}/size`);
        const states = sys.list(`${path}/slaves`).map((name) => ({
          name,
          state: neededAttribute(sys, `block/${name}/device/state`),
        }));
        const working = states.filter(({ state }) => WORKING.includes(state)).length;
        out.sample(metrics.info, 1, device, sysfsName, uuid);
        out.sample(metrics.active, suspended === '1' ? 0 : 1, device, sysfsName);
        out.sample(metrics.size, sectors * BYTES_OF_SECTOR, device, sysfsName);
        out.sample(metrics.paths, states.length, device, sysfsName);
        out.sample(metrics.pathsActive, working, device, sysfsName);
        out.sample(metrics.pathsFailed, states.length - working, device, sysfsName);
        for (const { name, state } of states) out.sample(metrics.pathState, 1, device, name, state);
      });
    };
  },
});
