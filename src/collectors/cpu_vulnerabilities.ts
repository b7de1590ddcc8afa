import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { DeviceLayout } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { fields } from '../core/text.ts';

/** How a file may begin, in any case of letters. */
const STATES = ['not affected', 'vulnerable', 'mitigation', 'unknown'] as const;

interface Vulnerability {
  readonly state: (typeof STATES)[number];
  /** What is done against it, or what else the kernel says. */
  readonly mitigation: string;
}

/**
 * Parses a file of `/sys/devices/system/cpu/vulnerabilities/`: `Not affected`, `Mitigation: PTI`. What begins otherwise
 * (`KVM: Vulnerable`) is of unknown state. https://docs.kernel.org/admin-guide/hw-vuln/index.html
 */
export function parseVulnerability(text: string): Vulnerability {
  const content = text.trim();
  const state = STATES.find((each) => content.toLowerCase().startsWith(each));
  if (state === undefined) return { state: 'unknown', mitigation: content };
  // The state's last word goes with the punctuation on it.
  const rest = fields(content).slice(state.split(' ').length);
  return { state, mitigation: rest.join(' ') };
}

export default defineCollector({
  name: 'cpu_vulnerabilities',
  help: 'Exposes which flaws of CPUs this machine has, and what is done against them.',
  enabled: false,
  reads: ['/sys/devices/system/cpu/vulnerabilities/*'],
  flags: {},
  metrics: {
    info: gauge(
      'node_cpu_vulnerabilities_info',
      'A known flaw of CPUs, whether this machine has it, and what is done against it; always 1.',
      'codename',
      'state',
      'mitigation',
    ),
  },
  setup({ sys }, metrics) {
    const layOut: DeviceLayout = ({ list, word }, out) => {
      for (const codename of list()) {
        const text = word(codename) ?? '';
        const { state, mitigation } = parseVulnerability(text);
        if (text !== '') out.sample(metrics.info, 1, codename, state, mitigation);
      }
    };
    return sys.devices('devices/system/cpu', /^vulnerabilities$/, layOut, { ifAbsent: nothing });
  },
});
