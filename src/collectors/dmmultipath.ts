import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';
import { BYTES_OF_SECTOR } from '../core/units.ts';
import { oneIf } from '../core/words.ts';

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
    '/sys/block/<dm>/slaves',
    '/sys/block/<dm>/slaves/<slave>/device/state',
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
    return sys.devices(
      'block',
      /^dm-/,
      (dm, out) => {
        const uuid = dm.word('dm/uuid');
        if (uuid?.startsWith('mpath-') !== true) return;
        const device = dm.word('dm/name') ?? '';
        out.sample(metrics.info, 1, device, dm.id, uuid);
        out.sample(metrics.active, oneIf(dm.word('dm/suspended'), '0'), device, dm.id);
        out.sample(metrics.size, dm.number('size')?.times(BYTES_OF_SECTOR), device, dm.id);
        const paths = dm
          .all('slaves')
          ?.map((name) => ({ name, state: dm.inside(`slaves/${name}`).word('device/state') }));
        if (paths === undefined) return;
        out.sample(metrics.paths, paths.length, device, dm.id);
        for (const { name, state } of paths)
          if (state !== undefined) out.sample(metrics.pathState, 1, device, name, state);
        // A path whose state nobody says has neither failed nor does it work.
        if (paths.some(({ state }) => state === undefined)) return;
        const working = paths.filter(({ state }) => WORKING.includes(state as string)).length;
        out.sample(metrics.pathsActive, working, device, dm.id);
        out.sample(metrics.pathsFailed, paths.length - working, device, dm.id);
      },
      { ifAbsent: noData('no block devices') },
    );
  },
});
