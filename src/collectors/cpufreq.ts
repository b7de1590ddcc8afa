import { defineCollector } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { errnoOf, parsed } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';
import { cpuFolders } from '../parse/cpu_folders.ts';
import { parseCpulist } from '../parse/cpulist.ts';

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

/** Parses a frequency in kHz; the kernel writes `<unknown>` where the hardware does not tell. */
export function parseFrequency(text: string, file: string): number | undefined {
  return text === '<unknown>' ? undefined : parsed(uint(text), file, text);
}

/** A frequency in kHz; `undefined` where the file is absent, is for root only, or where hardware or driver refuse. */
function readFrequency(sys: Tree, path: string): number | undefined {
  let text: string;
  try {
    text = sys.read(path).trim();
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
  return parseFrequency(text, path);
}

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
    return (out, turn) => {
      const folders = cpuFolders(sys);
      const offline = new Set(parseCpulist(sys.read('devices/system/cpu/offline'), 'offline'));
      return eachDevice(folders, turn, ({ path, number }) => {
        const policy = `${path}/cpufreq`;
        if (offline.has(number) || !sys.exists(policy)) return;
        const cpu = String(number);
        const governor = sys.read(`${policy}/scaling_governor`).trim();
        const available = sys.read(`${policy}/scaling_available_governors`).trim();
        for (const [key, file] of FREQUENCIES) {
          const frequencyKhz = readFrequency(sys, `${policy}/${file}`);
          if (frequencyKhz !== undefined) out.sample(metrics[key], frequencyKhz * 1000, cpu);
        }
        if (governor === '' || available === '') return;
        for (const name of available.split(' ')) out.sample(metrics.governor, name === governor ? 1 : 0, cpu, name);
      });
    };
  },
});
