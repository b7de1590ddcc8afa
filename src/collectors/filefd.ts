import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** The second number of `file-nr` has been 0 since Linux 2.6. https://docs.kernel.org/admin-guide/sysctl/fs.html */
export default defineCollector({
  name: 'filefd',
  help: 'Exposes how many files the kernel holds open, and how many it may.',
  enabled: true,
  reads: ['/proc/sys/fs/file-nr'],
  flags: {},
  metrics: {
    allocated: gauge('node_filefd_allocated', 'File handles in use.'),
    maximum: gauge('node_filefd_maximum', 'How many file handles the kernel gives out.'),
  },
  setup({ proc }, metrics) {
    return proc.lineTable('sys/fs/file-nr', (line, out) => {
      out.sample(metrics.allocated, line.uint(0));
      out.sample(metrics.maximum, line.uint(2));
    });
  },
});
