import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { dynamic } from '../core/metric.ts';
import { fields, float, lines } from '../core/text.ts';

/** Parses `/proc/vmstat`, one `name value` on a line; gives the fields that `told` takes. https://docs.kernel.org/filesystems/proc.html */
export function parseVmstat(text: string, told: (name: string) => boolean = () => true): Map<string, number> {
  const values = new Map<string, number>();
  for (const line of lines(text)) {
    const [name, column] = fields(line);
    const value = float(column);
    if (name === undefined || value === undefined) throw new ParseError('vmstat', line);
    if (told(name)) values.set(name, value);
  }
  return values;
}

export default defineCollector({
  name: 'vmstat',
  help: 'Exposes what the virtual memory system counts.',
  enabled: true,
  reads: ['/proc/vmstat'],
  flags: {
    fields: flag.regexp('collector.vmstat.fields', 'Fields to return.', '^(oom_kill|pgpg|pswp|pg.*fault).*'),
  },
  metrics: {
    field: dynamic.untyped('node_vmstat_<field>', 'The field <field> of /proc/vmstat.'),
  },
  setup({ proc, flags }, metrics) {
    const told = (name: string): boolean => flags.fields?.test(name) ?? true;
    return (out) => {
      for (const [name, value] of parseVmstat(proc.read('vmstat'), told)) out.sample(metrics.field.of(name), value);
    };
  },
});
