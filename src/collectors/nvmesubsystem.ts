import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

const STATES = ['connecting', 'dead', 'deleting', 'live', 'new', 'resetting', 'unknown'] as const;

/** The kernel reports more of one state: `deleting (no IO)`. */
export function stateOf(text: string): (typeof STATES)[number] {
  const [word] = text.split(' ');
  return STATES.find((state) => state === word) ?? 'unknown';
}

export default defineCollector({
  name: 'nvmesubsystem',
  help: 'Exposes NVMe subsystems and the state of the paths to them.',
  enabled: false,
  reads: [
    '/sys/class/nvme-subsystem/<subsystem>/{subsysnqn,model,serial,iopolicy}',
    '/sys/class/nvme-subsystem/<subsystem>/<controller>/{state,transport}',
  ],
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
    return sys.devices(
      'class/nvme-subsystem',
      /^nvme-subsys/,
      (subsystem, out) => {
        const { id, word } = subsystem;
        // Without multipath there is no policy, and old kernels do not say it.
        out.row(metrics.info, 1, [id, ...['subsysnqn', 'model', 'serial', 'iopolicy'].map((file) => word(file) ?? '')]);
        const entries = subsystem.all();
        if (entries === undefined) return;
        const controllers = entries
          .filter((name) => /^nvme\d+$/.test(name))
          .map((name) => ({
            name,
            state: word(`${name}/state`),
            transport: word(`${name}/transport`) ?? '',
          }));
        for (const name of entries) if (/^nvme\d+n\d+$/.test(name)) out.sample(metrics.namespace, 1, id, name);
        out.sample(metrics.paths, controllers.length, id);
        const known = controllers.filter(({ state }) => state !== undefined);
        const live = known.filter(({ state }) => state === 'live').length;
        if (known.length === controllers.length) out.sample(metrics.pathsLive, live, id);
        for (const { name, state, transport } of known) {
          const now = stateOf(state as string);
          for (const each of STATES) out.row(metrics.pathState, each === now ? 1 : 0, [id, name, transport, each]);
        }
      },
      { ifAbsent: noData('no NVMe subsystems') },
    );
  },
});
