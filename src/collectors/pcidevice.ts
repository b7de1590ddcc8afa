import { noData } from '../core/absent.ts';
import { type Collect, defineCollector, type Host } from '../core/collector.ts';
import { isRefusal, messageOf, ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Device } from '../core/host.ts';
import { gauge } from '../core/metric.ts';
import { intWord } from '../core/words.ts';
import type { LayoutWriter } from '../core/writer.ts';
import { findPciNames, type PciIds, type PciNames } from '../parse/pci_ids.ts';

const DEVICES = 'bus/pci/devices';
const IDS_FILES = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'];
const STATES = ['D0', 'D1', 'D2', 'D3hot', 'D3cold', 'unknown', 'error'] as const;

const PLACE = ['segment', 'bus', 'device', 'function'] as const;
const INFO = [
  ...PLACE,
  'parent_segment',
  'parent_bus',
  'parent_device',
  'parent_function',
  'class_id',
  'vendor_id',
  'device_id',
  'subsystem_vendor_id',
  'subsystem_device_id',
  'revision',
] as const;
const NAMES = ['vendor_name', 'device_name', 'subsystem_vendor_name', 'subsystem_device_name', 'class_name'] as const;

const INFO_HELP = 'What the device is and where; the value is always 1.';
const of = (name: string, help: string) => gauge(`node_pcidevice_${name}`, help, ...PLACE);

const metrics = {
  info: gauge('node_pcidevice_info', INFO_HELP, ...INFO),
  named: gauge('node_pcidevice_info', INFO_HELP, ...INFO, ...NAMES),
  maxSpeed: of('max_link_transfers_per_second', 'Most transfers per second that the link can do; -1 where unknown.'),
  maxWidth: of('max_link_width', 'Most lanes that the link can have; -1 where unknown.'),
  speed: of('current_link_transfers_per_second', 'Transfers per second that the link is set to; -1 where unknown.'),
  width: of('current_link_width', 'Lanes that the link has; -1 where unknown.'),
  power: gauge('node_pcidevice_power_state', 'Whether the device is in this power state.', ...PLACE, 'state'),
  d3cold: of('d3cold_allowed', 'Whether the device may lose all power while it sleeps.'),
  autoprobe: of('sriov_drivers_autoprobe', 'Whether drivers are bound to new virtual functions.'),
  numvfs: of('sriov_numvfs', 'Virtual functions that are switched on.'),
  totalvfs: of('sriov_totalvfs', 'Virtual functions that the device can have.'),
  msix: of('sriov_vf_total_msix', 'Interrupt vectors for all virtual functions.'),
  numa: of('numa_node', 'NUMA node that the device is near to.'),
} as const;

/** Files with a whole number that a device without the ability lacks: then there are 0 of it. */
const NUMBERS = [
  [metrics.d3cold, 'd3cold_allowed'],
  [metrics.autoprobe, 'sriov_drivers_autoprobe'],
  [metrics.numvfs, 'sriov_numvfs'],
  [metrics.totalvfs, 'sriov_totalvfs'],
  [metrics.msix, 'sriov_vf_total_msix'],
] as const;

export type Place = readonly [segment: string, bus: string, device: string, fn: string];

/** Splits `0000:03:00.1`; `undefined` for what is no place of a device. https://docs.kernel.org/PCI/sysfs-pci.html */
export function parsePlace(text: string): Place | undefined {
  const found = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/.exec(text);
  return found === null ? undefined : (found.slice(1) as unknown as Place);
}

const NO_PARENT = ['*', '*', '*', '*'] as const;

/** A device below a root port hangs in that port's folder; one on the root bus in `pci0000:00`. */
const parentOf = (device: Device): Place | typeof NO_PARENT =>
  parsePlace(device.real()?.split('/').at(-2) ?? '') ?? NO_PARENT;

/** The digits of `0x15b3`; empty where the kernel has no such attribute, as `revision` before Linux 4.10. */
function idOf(device: Device, file: string, digits: number, out: LayoutWriter): string {
  const text = device.fixed(file) ?? '';
  if (/^0x[0-9a-f]+$/i.test(text)) return Number(text).toString(16).padStart(digits, '0');
  if (text !== '') out.fault(new ParseError(`${device.path}/${file}`, text));
  return '';
}

/** Writes what the device is, and answers whether it is still there. */
function writeInfo(device: Device, place: Place, namesOf: NamesOf | undefined, out: LayoutWriter): boolean {
  const ids: PciIds = {
    type: idOf(device, 'class', 6, out),
    vendor: idOf(device, 'vendor', 4, out),
    device: idOf(device, 'device', 4, out),
    subVendor: idOf(device, 'subsystem_vendor', 4, out),
    subDevice: idOf(device, 'subsystem_device', 4, out),
  };
  const all = [ids.type, ids.vendor, ids.device, ids.subVendor, ids.subDevice, idOf(device, 'revision', 2, out)];
  if (all.every((id) => id === '')) return false;
  const info = [...place, ...parentOf(device), ...all.map((id) => (id === '' ? '' : `0x${id}`))];
  const names = namesOf?.(ids);
  if (names === undefined) out.row(metrics.info, 1, info);
  else out.row(metrics.named, 1, [...info, names.vendor, names.device, names.subVendor, names.subDevice, names.type]);
  return true;
}

/** Where the kernel does not know a value it writes nothing, `Unknown` or `Unknown speed`. */
const isUnknown = (text = ''): boolean => text === '' || text.startsWith('Unknown');

/** A speed, `8.0 GT/s PCIe` (before Linux 5.7 without the last word), in transfers per second; -1 where there is none. */
function writeSpeed(device: Device, place: Place, file: string, family: typeof metrics.speed, out: LayoutWriter): void {
  const lines = device.lines(file);
  const line = lines?.at(0);
  if (lines === undefined || line === undefined || (line.find(1) !== 'GT/s' && isUnknown(line.rest(0)))) {
    out.sample(family, -1, ...place);
    return;
  }
  lines.one(line, () => {
    if (line.find(1) !== 'GT/s') throw line.fault();
    out.sample(family, line.number(0).times(1e9), ...place);
  });
}

function writeDevice(device: Device, namesOf: NamesOf | undefined, out: LayoutWriter): void {
  const place = parsePlace(device.id);
  if (place === undefined) throw new ParseError(DEVICES, device.id);
  if (!writeInfo(device, place, namesOf, out)) return;
  const writeWidth = (family: typeof metrics.width, file: string): void => {
    const value = device.number(file, 'Unknown');
    // What is there and is no number is a fault.
    out.sample(family, value ?? (isUnknown(device.word(file)) ? -1 : undefined), ...place);
  };
  writeSpeed(device, place, 'max_link_speed', metrics.maxSpeed, out);
  writeWidth(metrics.maxWidth, 'max_link_width');
  writeSpeed(device, place, 'current_link_speed', metrics.speed, out);
  writeWidth(metrics.width, 'current_link_width');
  const names = device.all();
  for (const [family, file] of NUMBERS)
    out.sample(family, (names?.includes(file) ?? true) ? device.number(file) : 0, ...place);
  const power = device.word('power_state');
  if (power !== undefined)
    for (const state of STATES) out.row(metrics.power, state === power ? 1 : 0, [...place, state]);
  const node = intWord(device, 'numa_node', out);
  if (node !== -1) out.sample(metrics.numa, node, ...place);
}

type NamesOf = (ids: PciIds) => PciNames;

interface Names {
  readonly of: NamesOf;
  /** To be called when no device is looked at any more. */
  readonly end: Collect;
}

/** Looks names up. The 1.5 MB of pci.ids are not kept: they are read again when a device comes. */
function createNames(paths: readonly string[], { openTree, log }: Pick<Host, 'openTree' | 'log'>): Names {
  let text: string | undefined;
  const read = (): string => {
    for (const path of paths) {
      try {
        return openTree(path).readOnce('');
      } catch (error) {
        if (!isRefusal(error)) throw error;
        log.debug('no names of PCI devices', { file: path, err: messageOf(error) });
      }
    }
    return '';
  };
  return {
    of(ids) {
      text ??= read();
      return findPciNames(text, ids);
    },
    end() {
      text = undefined;
    },
  };
}

export default defineCollector({
  name: 'pcidevice',
  help: 'Exposes PCI devices, their links, power states and virtual functions.',
  enabled: false,
  reads: [
    '/sys/bus/pci/devices/<device>/{class,vendor,device,subsystem_vendor,subsystem_device,revision}',
    '/sys/bus/pci/devices/<device>/{max,current}_link_{speed,width}',
    '/sys/bus/pci/devices/<device>/{d3cold_allowed,sriov_drivers_autoprobe,sriov_numvfs,sriov_totalvfs}',
    '/sys/bus/pci/devices/<device>/{sriov_vf_total_msix,power_state,numa_node}',
    '/usr/share/misc/pci.ids',
    '/usr/share/hwdata/pci.ids',
  ],
  flags: {
    idsfile: flag.text(
      'collector.pcidevice.idsfile',
      'The pci.ids to take names from; by default where Debian or Fedora have it.',
    ),
    names: flag.bool('collector.pcidevice.names', 'Add the names of vendors, devices and classes to the info metric.'),
  },
  metrics,
  needs: ({ flags }) => ({ files: flags.idsfile === '' ? IDS_FILES : [flags.idsfile] }),
  setup(host) {
    const { sys, flags } = host;
    const names = flags.names ? createNames(flags.idsfile === '' ? IDS_FILES : [flags.idsfile], host) : undefined;
    const devices = sys.devices(DEVICES, /./, (device, out) => writeDevice(device, names?.of, out), {
      ifAbsent: noData('no PCI bus'),
    });
    return names === undefined ? devices : [devices, names.end];
  },
});
