import { defineCollector } from '../core/collector.ts';
import { parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { uint } from '../core/text.ts';

export interface FileHandles {
  readonly allocated: number;
  readonly maximum: number;
}

/** Parses `/proc/sys/fs/file-nr`; its second number has been 0 since Linux 2.6. https://docs.kernel.org/admin-guide/sysctl/fs.html */
export function parseFileNr(text: string): FileHandles {
  const columns = text.trim().split('\t');
  const number = (column: string | undefined): number => parsed(uint(column), 'file-nr', text);
  return { allocated: number(columns[0]), maximum: number(columns[2]) };
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
