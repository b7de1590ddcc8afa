import { defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';

export interface FileHandles {
  readonly allocated: number;
  readonly maximum: number;
}

/** Parses `/proc/sys/fs/file-nr`; its second number has been 0 since Linux 2.6. https://docs.kernel.org/admin-guide/sysctl/fs.html */
export function parseFileNr(text: string): FileHandles {
  const columns = text.trim().split('\t');
  const allocated = uint(columns[0]);
  const maximum = uint(columns[2]);
  if (allocated === undefined || maximum === undefined) throw new ParseError('file-nr', text);
  return { allocated, maximum };
}

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
    return (out) => {
      const { allocated, maximum } = parseFileNr(proc.read('sys/fs/file-nr'));
      out.sample(metrics.allocated, allocated);
      out.sample(metrics.maximum, maximum);
    };
  },
});
