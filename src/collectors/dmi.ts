import { defineCollector } from '../core/collector.ts';
import { NoDataError, optional } from '../core/errors.ts';
import { acquireFiles, heldFiles } from '../core/held.ts';
import { type Family, gauge } from '../core/metric.ts';
import { joinReplacements } from '../core/utf8.ts';

const LABELS = [
  'bios_date',
  'bios_release',
  'bios_vendor',
  'bios_version',
  'board_asset_tag',
  'board_name',
  'board_serial',
  'board_vendor',
  'board_version',
  'chassis_asset_tag',
  'chassis_serial',
  'chassis_vendor',
  'chassis_version',
  'product_family',
  'product_name',
  'product_serial',
  'product_sku',
  'product_uuid',
  'product_version',
  'system_vendor',
] as const;

const DMI = 'class/dmi/id';
/** Readable by root only. */
const SECRET = ['board_serial', 'chassis_serial', 'product_serial', 'product_uuid'].map((file) => `${DMI}/${file}`);
const fileOf = (label: string): string => (label === 'system_vendor' ? 'sys_vendor' : label);

export default defineCollector({
  name: 'dmi',
  help: 'Exposes what the firmware says about the machine: vendor, product, versions.',
  enabled: true,
  reads: ['/sys/class/dmi/id/*'],
  flags: {},
  /** https://docs.kernel.org/ABI/testing/sysfs-class.html */
  metrics: {
    info: gauge(
      'node_dmi_info',
      'What the firmware says about the machine, in labels; those that cannot be read are left out. Always 1.',
      ...LABELS,
    ),
  },
  privileges: ['dac_read_search'],
  acquire: ({ sys }) => acquireFiles(sys, SECRET),
  setup({ sys, acquired }, { info }) {
    const held = heldFiles(acquired);
    // What the firmware says does not change while the machine runs.
    let known: { readonly family: Family; readonly values: readonly string[] } | undefined;
    const read = (): typeof known => {
      const labels: string[] = [];
      const values: string[] = [];
      for (const label of LABELS) {
        const file = `${DMI}/${fileOf(label)}`;
        const value = held(file)?.trim() ?? optional(() => sys.attribute(file), ['EACCES', 'EPERM']);
        if (value === undefined) continue;
        labels.push(label);
        values.push(joinReplacements(value));
      }
      return labels.length === 0 ? undefined : { family: gauge(info.name, info.help, ...labels), values };
    };
    return (out) => {
      if (known === undefined && sys.exists(DMI)) known = read();
      if (known === undefined) throw new NoDataError(`nothing readable in ${sys.path(DMI)}`);
      out.row(known.family, 1, known.values);
    };
  },
});
