import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields, float } from '../core/text.ts';

export interface LoadAverages {
  readonly load1: number;
  readonly load5: number;
  readonly load15: number;
}

/** Parses `/proc/loadavg`. https://docs.kernel.org/filesystems/proc.html */
export function parseLoadavg(text: string): LoadAverages {
  const [load1, load5, load15] = fields(text).slice(0, 3).map(float);
  if (load1 === undefined || load5 === undefined || load15 === undefined) throw new ParseError('loadavg', text);
  return { load1, load5, load15 };
}

export default defineCollector({
  name: 'loadavg',
  help: 'Exposes the load averages.',
  enabled: true,
  reads: ['/proc/loadavg'],
  flags: {},
  metrics: {
    load1: gauge('node_load1', 'Tasks that run or wait, averaged over one minute.'),
    load5: gauge('node_load5', 'Tasks that run or wait, averaged over five minutes.'),
    load15: gauge('node_load15', 'Tasks that run or wait, averaged over fifteen minutes.'),
  },
  setup({ proc }, metrics) {
    return (out) => {
      const { load1, load5, load15 } = parseLoadavg(proc.read('loadavg'));
      out.sample(metrics.load1, load1);
      out.sample(metrics.load5, load5);
      out.sample(metrics.load15, load15);
    };
  },
});
