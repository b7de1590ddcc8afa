import { defineCollector } from '../core/collector.ts';
import { isRefusal, ParseError } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields } from '../core/text.ts';
import { HZ_OF_KHZ } from '../core/units.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { parseCpulist } from '../parse/cpulist.ts';

const DIR = 'devices/system/cpu';

/** Files with a frequency in kHz, by the metric's key. */
const FREQUENCIES = [
  ['current', 'cpuinfo_cur_freq'],
  ['average', 'cpuinfo_avg_freq'],
  ['minimum', 'cpuinfo_min_freq'],
  ['maximum', 'cpuinfo_max_freq'],
  ['scaling', 'scaling_cur_freq'],
  ['scalingMinimum', 'scaling_min_freq'],
  ['scalingMaximum', 'scaling_max_freq'],
] as const;

/** https://docs.kernel.org/admin-guide/pm/cpufreq.html */
export default defineCollector({
  name: 'cpufreq',
  help: 'Exposes the frequencies of CPUs and the governors that choose them.',
  enabled: true,
  reads: ['/sys/devices/system/cpu/offline', '/sys/devices/system/cpu/<cpu>/cpufreq/*'],
  flags: {},
  metrics: {
    current: gauge('node_cpu_frequency_hertz', 'Frequency at which the CPU runs.', 'cpu'),
    average: gauge('node_cpu_frequency_avg_hertz', 'Frequency at which the CPU ran on average of late.', 'cpu'),
    minimum: gauge('node_cpu_frequency_min_hertz', 'Lowest frequency of the CPU.', 'cpu'),
    maximum: gauge('node_cpu_frequency_max_hertz', 'Highest frequency of the CPU.', 'cpu'),
    scaling: gauge('node_cpu_scaling_frequency_hertz', 'Frequency that the driver last set or measured.', 'cpu'),
    scalingMinimum: gauge('node_cpu_scaling_frequency_min_hertz', 'Lowest frequency that the policy allows.', 'cpu'),
    scalingMaximum: gauge('node_cpu_scaling_frequency_max_hertz', 'Highest frequency that the policy allows.', 'cpu'),
    governor: gauge('node_cpu_scaling_governor', 'Whether the governor is the one in charge.', 'cpu', 'governor'),
  },
  setup({ sys }, metrics) {
    const offline = sys.settled(`${DIR}/offline`);
    const offlineCpus = offline.as((text) => new Set(parseCpulist(text, 'offline')));
    // Without the list, the files of an offline CPU say by themselves that they have no value.
    const isOffline = (number: number, out: LayoutWriter): boolean => {
      try {
        return offlineCpus()?.has(number) === true;
      } catch (error) {
        if (!(error instanceof ParseError || isRefusal(error))) throw error;
        if (number === 0) out.fault(error);
        return false;
      }
    };
    return sys.devices(
      DIR,
      /^cpu[0-9]+$/,
      (device, out) => {
        const number = Number(device.id.slice('cpu'.length));
        const policy = device.inside('cpufreq');
        if (isOffline(number, out)) return;
        const cpu = String(number);
        for (const [key, file] of FREQUENCIES) {
          // The kernel writes `<unknown>` where the hardware does not say.
          const frequency = policy.number(file, '<unknown>');
          out.sample(metrics[key], frequency?.times(HZ_OF_KHZ), cpu);
        }
        const governor = policy.word('scaling_governor');
        if (governor === undefined) return;
        for (const name of fields(policy.fixed('scaling_available_governors') ?? ''))
          out.sample(metrics.governor, name === governor ? 1 : 0, cpu, name);
      },
      { beside: [offline] },
    );
  },
});
