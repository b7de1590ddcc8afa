import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import { dynamic } from '../core/metric.ts';

/** `/proc/vmstat`: a name and a value on each line. https://docs.kernel.org/filesystems/proc.html */
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
    return proc.lineTable('vmstat', (line, out) => {
      const name = line.word(0);
      if (flags.fields?.test(name) ?? true) out.sample(metrics.field.of(name), line.number(1));
    });
  },
});
