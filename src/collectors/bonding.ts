import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import type { Lines, Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { followedNames } from '../core/names.ts';
import { decodeName } from '../core/utf8.ts';

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
    const masters = 'class/net/bonding_masters';
    return sys.table(
      masters,
      (lines, out) => {
        for (const master of followedNames(lines, sys.file(masters)) ?? []) {
          const slaves = followedNames(lines, sys.file(`class/net/${master}/bonding/slaves`));
          if (slaves === undefined) continue;
          const links = slaves.map((slave) => isUp(sys, lines, master, slave));
          out.sample(metrics.slaves, slaves.length, decodeName(master));
          // A slave of which nobody says whether it is up is not one that is down.
          if (!links.includes(undefined)) out.sample(metrics.active, links.filter(Boolean).length, decodeName(master));
        }
      },
      { ifAbsent: noData('there is no bonding on this machine'), mayBeEmpty: true },
    );
  },
});
