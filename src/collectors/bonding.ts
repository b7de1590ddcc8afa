import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional } from '../core/errors.ts';
import type { Tree } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { fields } from '../core/text.ts';

export interface Bond {
  readonly master: string;
  readonly slaves: number;
  /** Slaves whose link is up. */
  readonly active: number;
}

/** Reads a bond and its slaves. `undefined` where any of it is absent. */
function readBond(sys: Tree, master: string): Bond | undefined {
  const folder = `class/net/${master}`;
  const slaves = sys.attribute(`${folder}/bonding/slaves`);
  if (slaves === undefined) return undefined;
  const names = fields(slaves);
  let active = 0;
  for (const name of names) {
    // Named `slave_…` up to Linux 3.12.
    const status =
      sys.attribute(`${folder}/lower_${name}/bonding_slave/mii_status`) ??
      sys.attribute(`${folder}/slave_${name}/bonding_slave/mii_status`);
    if (status === undefined) return undefined;
    if (status === 'up') active += 1;
  }
  return { master, slaves: names.length, active };
}

/** Reads every bond of this machine. https://docs.kernel.org/networking/bonding.html */
export function readBonds(sys: Tree): Bond[] {
  const masters = optional(() => sys.readOnce('class/net/bonding_masters'));
  if (masters === undefined) throw new NoDataError('there is no bonding on this machine');
  return fields(masters).map((master) => {
    const bond = readBond(sys, master);
    if (bond === undefined) throw new NoDataError(`the bond ${master} is not all there`);
    return bond;
  });
}

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
    return (out) => {
      for (const { master, slaves, active } of readBonds(sys)) {
        out.sample(metrics.slaves, slaves, master);
        out.sample(metrics.active, active, master);
      }
    };
  },
});
