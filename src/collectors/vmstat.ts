import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import { dynamic } from '../core/metric.ts';
import { fields, float } from '../core/text.ts';
import { type NameValue, nameValueReader } from '../parse/name_values.ts';

/** Parses a line of `/proc/vmstat`: a name and a value. https://docs.kernel.org/filesystems/proc.html */
export function parseVmstatLine(line: string): NameValue {
  const [name, column] = fields(line);
  const value = float(column);
  if (name === undefined || value === undefined) throw new ParseError('vmstat', line);
  return { name, value };
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
    const read = nameValueReader(parseVmstatLine, (name) => flags.fields?.test(name) ?? true);
    return (out) => {
      read(proc.read('vmstat'), (name, value) => out.sample(metrics.field.of(name), value));
    };
  },
});
