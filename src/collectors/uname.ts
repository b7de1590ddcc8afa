import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** What the kernel calls a domain name that nobody has set. */
const NO_DOMAIN = '(none)';

/** The domain name comes from a file, since Node says all the rest. https://man7.org/linux/man-pages/man2/uname.2.html */
export default defineCollector({
  name: 'uname',
  help: 'Exposes the names of the kernel and of the machine.',
  enabled: true,
  reads: ['/proc/sys/kernel/domainname'],
  flags: {},
  metrics: {
    info: gauge(
      'node_uname_info',
      'What uname(2) says of kernel and machine, as labels; always 1.',
      'sysname',
      'release',
      'version',
      'machine',
      'nodename',
      'domainname',
    ),
  },
  setup({ proc, system }, { info }) {
    const domain = proc.file('sys/kernel/domainname');
    return (out) => {
      const { sysname, release, version, machine, nodename } = system.uname();
      out.row(info, 1, [sysname, release, version, machine, nodename, domain.tryText(out)?.trimEnd() || NO_DOMAIN]);
    };
  },
});
