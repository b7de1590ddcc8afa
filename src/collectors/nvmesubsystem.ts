import { defineCollector } from '../core/collector.ts';
import { eachDevice, neededAttribute } from '../core/devices.ts';
import { hasErrno, NoDataError, optional } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';

const FOLDER = 'class/nvme-subsystem';
const NOT_READABLE = ['ENOENT', 'ENODEV', 'ENXIO', 'ENOTDIR', 'EACCES'];
const STATES = ['connecting', 'dead', 'deleting', 'live', 'new', 'resetting', 'unknown'] as const;

/** The kernel tells more of one state: `deleting (no IO)`. */
export function stateOf(text: string): (typeof STATES)[number] {
  const [word] = text.split(' ');
  return STATES.find((state) => state === word) ?? 'unknown';
}

/** A file or folder that may not be read counts as absent. */
function read<T>(what: () => T): T {
  try {
    return what();
  } catch (error) {
    if (hasErrno(error, NOT_READABLE)) throw new NoDataError((error as Error).message, { cause: error });
    throw error;
  }
}

export default defineCollector({
  name: 'nvmesubsystem',
  help: 'Exposes NVMe subsystems and the state of the paths to them.',
  enabled: false,
  reads: ['/sys/class/nvme-subsystem/<subsystem>/*', '/sys/class/nvme-subsystem/<subsystem>/<controller>/*'],
  flags: {},
  metrics: {
    info: gauge(
      'node_nvmesubsystem_info',
      'What an NVMe subsystem is; always 1.',
      'subsystem',
      'nqn',
      'model',
      'serial',
      'iopolicy',
    ),
    namespace: gauge('node_nvmesubsystem_namespace_info', 'A namespace; always 1.', 'subsystem', 'device'),
    paths: gauge('node_nvmesubsystem_paths', 'Controllers that lead to the subsystem.', 'subsystem'),
    pathsLive: gauge('node_nvmesubsystem_paths_live', 'Controllers that lead to it and are live.', 'subsystem'),
    pathState: gauge(
      'node_nvmesubsystem_path_state',
      'Whether a controller is in this state (1).',
      'subsystem',
      'controller',
      'transport',
      'state',
    ),
  },
  setup({ sys }, metrics) {
    return (out, turn) => {
      const names = optional(() => sys.list(FOLDER), NOT_READABLE);
      if (names === undefined) throw new NoDataError('no NVMe subsystems');
      const subsystems = names.filter((name) => name.startsWith('nvme-subsys'));
      return eachDevice(subsystems, turn, (subsystem) => {
        const path = `${FOLDER}/${subsystem}`;
        const attribute = (file: string): string => read(() => neededAttribute(sys, `${path}/${file}`));
        const labels = ['subsysnqn', 'model', 'serial', 'iopolicy'].map(attribute);
        const entries = read(() => sys.list(path));
        const controllers = entries
          .filter((name) => /^nvme\d+$/.test(name))
          .map((name) => ({
            name,
            state: stateOf(attribute(`${name}/state`)),
            transport: attribute(`${name}/transport`),
          }));
        out.row(metrics.info, 1, [subsystem, ...labels]);
        for (const name of entries) if (/^nvme\d+n\d+$/.test(name)) out.sample(metrics.namespace, 1, subsystem, name);
        out.sample(metrics.paths, controllers.length, subsystem);
        out.sample(metrics.pathsLive, controllers.filter(({ state }) => state === 'live').length, subsystem);
        for (const { name, state, transport } of controllers)
          for (const each of STATES)
            out.sample(metrics.pathState, each === state ? 1 : 0, subsystem, name, transport, each);
      });
    };
  },
});
