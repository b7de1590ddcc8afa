import os from 'node:os';
import { defineCollector } from '../core/collector.ts';
import { optional } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';

/** What the kernel calls a domain name that nobody has set. */
const NO_DOMAIN = '(none)';

/** Node tells what uname(2) says but for the domain name. https://man7.org/linux/man-pages/man2/uname.2.html */
export default defineCollector({
  name: 'uname',
  help: 'Exposes the names of the kernel and of the machine.',
  enabled: true,
  reads: ['/proc/sys/kernel/domainname'],
  flags: {},
  metrics: {
    info: gauge(
      'node_uname_info',
      'What uname(2) tells of kernel and machine, as labels; always 1.',
      'sysname',
      'release',
      'version',
      'machine',
      'nodename',
      'domainname',
    ),
  },
  setup({ proc }, { info }) {
    return (out) => {
      const domain = optional(() => proc.read('sys/kernel/domainname').trimEnd()) ?? NO_DOMAIN;
      out.row(info, 1, [os.type(), os.release(), os.version(), os.machine(), os.hostname(), domain]);
    };
  },
});
