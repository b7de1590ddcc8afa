import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { NoDataError } from '../core/errors.ts';
import { acquireFiles, adoptFiles } from '../core/held.ts';
import { gauge } from '../core/metric.ts';

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

/** Readable by root only. */
const SECRET: readonly string[] = ['board_serial', 'chassis_serial', 'product_serial', 'product_uuid'];
const secretPath = (file: string): string => `class/dmi/id/${file}`;
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
  acquire: ({ sys }) => acquireFiles(sys, SECRET.map(secretPath)),
  setup({ sys, acquired }, { info }) {
    adoptFiles(sys, acquired);
    return sys.devices(
      'class/dmi',
      /^id$/,
      ({ fixed }, out) => {
        const known = LABELS.map((label) => [label, fixed(fileOf(label))] as const).filter(
          ([, value]) => value !== undefined,
        );
        if (known.length === 0) throw new NoDataError(`nothing readable in ${sys.path('class/dmi/id')}`);
        const [labels, values] = [known.map(([label]) => label), known.map(([, value]) => value as string)];
        out.row(gauge(info.name, info.help, ...labels), 1, values);
      },
      { ifAbsent: noData(`nothing in ${sys.path('class/dmi')}`) },
    );
  },
});
