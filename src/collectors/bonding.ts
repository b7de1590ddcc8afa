import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Lines, Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { fields } from '../core/text.ts';

/** Whether the link of a slave is up; `undefined` where the kernel does not say. Folders were named `slave_…` up to Linux 3.12. */
function isUp(sys: Tree, lines: Lines, master: string, slave: string): boolean | undefined {
  for (const prefix of ['lower_', 'slave_']) {
    const status = lines.followed(sys.file(`class/net/${master}/${prefix}${slave}/bonding_slave/mii_status`))?.trim();
    if (status !== undefined) return status === 'up';
  }
  return undefined;
}

/** https://docs.kernel.org/networking/bonding.html */
export default defineCollector({
  name: 'bonding',
  help: 'Exposes how many slaves each bond of network devices has, and how many of them are up.',
  enabled: true,
  reads: [
    '/sys/class/net/bonding_masters',
    '/sys/class/net/<master>/bonding/slaves',
    '/sys/class/net/<master>/lower_<slave>/bonding_slave/mii_status',
  ],
  flags: {},
  metrics: {
    slaves: gauge('node_bonding_slaves', 'Slaves that the bond is made of.', 'master'),
    active: gauge('node_bonding_active', 'Slaves of the bond whose link is up.', 'master'),
  },
  setup({ sys }, metrics) {
    return sys.table(
      'class/net/bonding_masters',
      (lines, out) => {
        for (const line of lines) {
          for (const master of fields(line.rest(0))) {
            const slaves = lines.followed(sys.file(`class/net/${master}/bonding/slaves`));
            if (slaves === undefined) continue;
            const names = fields(slaves);
            out.sample(metrics.slaves, names.length, master);
            out.sample(metrics.active, names.filter((name) => isUp(sys, lines, master, name) === true).length, master);
          }
        }
      },
      { ifAbsent: noData('there is no bonding on this machine'), mayBeEmpty: true },
    );
  },
});
