import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields, int, lines } from '../core/text.ts';

export interface Controller {
  readonly name: string;
  readonly cgroups: number;
  /** 0 or 1 */
  readonly enabled: number;
}

/** Parses `/proc/cgroups`. https://man7.org/linux/man-pages/man7/cgroups.7.html */
export function parseCgroups(text: string): Controller[] {
  const controllers: Controller[] = [];
  for (const line of lines(text)) {
    if (line.startsWith('#')) continue;
    const [name = '', , cgroups, enabled] = fields(line);
    const number = (column: string | undefined): number => parsed(int(column), 'cgroups', line);
    controllers.push({ name, cgroups: number(cgroups), enabled: number(enabled) });
  }
  return controllers;
}

export default defineCollector({
  name: 'cgroups',
  help: 'Exposes how many control groups each controller has.',
  enabled: false,
  reads: ['/proc/cgroups'],
  flags: {},
  metrics: {
    cgroups: gauge('node_cgroups_cgroups', 'Control groups that use the controller.', 'subsys_name'),
    enabled: gauge('node_cgroups_enabled', 'Whether the controller is enabled (1) or not (0).', 'subsys_name'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      for (const { name, cgroups, enabled } of parseCgroups(proc.read('cgroups'))) {
        out.sample(metrics.cgroups, cgroups, name);
        out.sample(metrics.enabled, enabled, name);
      }
    };
  },
});
