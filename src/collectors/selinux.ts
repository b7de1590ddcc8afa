import { defineCollector } from '../core/collector.ts';
import { hasErrno, optional } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { lines } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

const MODES: Readonly<Record<string, number>> = { enforcing: 1, permissive: 0 };
const DISABLED = -1;
const ENFORCE = 'fs/selinux/enforce';

/**
 * The mode that `/etc/selinux/config` asks for at boot: 1 enforcing, 0 permissive, -1 disabled, a word that is neither, or
 * nothing. https://man7.org/linux/man-pages/man8/selinux.8.html
 */
export function parseConfigMode(text: string): number {
  for (const line of lines(text)) {
    const [, value] = /^\s*SELINUX\s*=\s*"?([^"\s]*)/.exec(line) ?? [];
    if (value !== undefined) return MODES[value] ?? DISABLED;
  }
  return DISABLED;
}

export default defineCollector({
  name: 'selinux',
  help: 'Exposes whether SELinux is on and in which mode.',
  enabled: true,
  reads: ['/sys/fs/selinux/enforce', '/proc/self/attr/current', '/etc/selinux/config'],
  flags: {},
  metrics: {
    enabled: gauge('node_selinux_enabled', 'Whether SELinux is on (1) or not (0).'),
    config: gauge(
      'node_selinux_config_mode',
      'The mode set for the next boot: -1 disabled or not set, 0 permissive, 1 enforcing.',
    ),
    current: gauge('node_selinux_current_mode', 'The mode of this moment: -1 disabled, 0 permissive, 1 enforcing.'),
  },
  setup({ proc, sys, root }, metrics) {
    const enforce = sys.file(ENFORCE);
    const label = proc.passing('self/attr/current');
    const config = root.passing('etc/selinux/config');
    const configMode = config.as(parseConfigMode);
    // Until a policy is loaded everything runs with the label of the kernel itself.
    const hasPolicy = (out: Writer): boolean => label.tryText(out)?.replace(/[\0\n]+$/, '') !== 'kernel';
    const isThere = (): boolean => {
      const failure = enforce.failure();
      if (failure === undefined || hasErrno(failure, ['ENOENT'])) return failure === undefined;
      return optional(() => sys.sizeBytes(ENFORCE)) !== undefined;
    };
    return (out) => {
      const isOn = isThere() && hasPolicy(out);
      out.sample(metrics.enabled, isOn ? 1 : 0);
      if (!isOn) return;
      // What may not be read may say anything.
      out.sample(metrics.config, configMode(out) ?? (hasErrno(config.failure()) ? DISABLED : undefined));
      out.sample(metrics.current, enforce.number(out));
    };
  },
});
