import { readFileSync } from 'node:fs';
import { defineCollector } from '../core/collector.ts';
import { eachDevice, reading } from '../core/devices.ts';
import { messageOf, NoDataError, optional, ParseError, parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import type { Logger } from '../core/log.ts';
import { gauge } from '../core/metric.ts';
import { float, int, uint } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';
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

/** Splits `0000:03:00.1`. https://docs.kernel.org/PCI/sysfs-pci.html */
export function parsePlace(text: string): Place {
  const found = /^([0-9a-f]{4,}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/.exec(text);
  if (found === null) throw new ParseError('bus/pci/devices', text);
  return found.slice(1) as unknown as Place;
}

/** Parses a speed, `8.0 GT/s PCIe` (before Linux 5.7 without the last word), in transfers per second. */
export function parseSpeed(text: string): number | undefined {
  const giga = float(/^(\S+) GT\/s( PCIe)?$/.exec(text)?.[1]);
  return giga === undefined ? undefined : giga * 1e9;
}

interface Device {
  readonly place: Place;
  readonly parent: Place | undefined;
  readonly ids: PciIds;
  readonly revision: string;
  /** An attribute; `undefined` where the device does not have it, or nothing to tell in it. */
  read(name: string): string | undefined;
}

/** The ids of one device; `undefined` where it has gone away. */
function readDevice(sys: Tree, name: string): Device | undefined {
  const read = (file: string): string | undefined => {
    const text = reading(() => sys.readOnce(`${DEVICES}/${name}/${file}`))?.trim();
    return text === '' || text?.startsWith('Unknown') ? undefined : text;
  };
  const id = (file: string, digits: number): string | undefined => {
    const text = read(file);
    if (text === undefined) return undefined;
    if (!/^0x[0-9a-f]+$/i.test(text)) throw new ParseError(`${DEVICES}/${name}/${file}`, text);
    return Number(text).toString(16).padStart(digits, '0');
  };
  const link = optional(() => sys.link(`${DEVICES}/${name}`));
  const type = id('class', 6);
  const vendor = id('vendor', 4);
  const device = id('device', 4);
  const subVendor = id('subsystem_vendor', 4);
  const subDevice = id('subsystem_device', 4);
  const revision = id('revision', 2);
  if (link === undefined || type === undefined || vendor === undefined || device === undefined) return undefined;
  if (subVendor === undefined || subDevice === undefined || revision === undefined) return undefined;
  // A device below a root port hangs in that port's folder; one on the root bus in `pci0000:00`.
  const above = link.split('/').at(-2) ?? '';
  return {
    place: parsePlace(name),
    parent: above.startsWith('pci') ? undefined : parsePlace(above),
    ids: { type, vendor, device, subVendor, subDevice },
    revision,
    read,
  };
}

const NO_PARENT = ['*', '*', '*', '*'] as const;

function numberIn(device: Device, file: string, parse: (text: string) => number | undefined, absent: number): number {
  const text = device.read(file);
  if (text === undefined) return absent;
  return parsed(parse(text), `${device.place.join(':')} ${file}`, text);
}

function collectDevice(device: Device, names: PciNames | undefined, out: Writer): void {
  const { place, parent, ids, revision, read } = device;
  const { type, vendor, subVendor, subDevice } = ids;
  const hex = [type, vendor, ids.device, subVendor, subDevice, revision].map((id) => `0x${id}`);
  const info = [...place, ...(parent ?? NO_PARENT), ...hex];
  if (names === undefined) out.row(metrics.info, 1, info);
  else out.row(metrics.named, 1, [...info, names.vendor, names.device, names.subVendor, names.subDevice, names.type]);
  out.sample(metrics.maxSpeed, numberIn(device, 'max_link_speed', parseSpeed, -1), ...place);
  out.sample(metrics.maxWidth, numberIn(device, 'max_link_width', uint, -1), ...place);
  out.sample(metrics.speed, numberIn(device, 'current_link_speed', parseSpeed, -1), ...place);
  out.sample(metrics.width, numberIn(device, 'current_link_width', uint, -1), ...place);
  for (const [family, file] of NUMBERS) out.sample(family, numberIn(device, file, uint, 0), ...place);
  const power = read('power_state');
  if (power !== undefined)
    for (const state of STATES) out.row(metrics.power, state === power ? 1 : 0, [...place, state]);
  const node = numberIn(device, 'numa_node', int, -1);
  if (node !== -1) out.sample(metrics.numa, node, ...place);
}

function readIds(paths: readonly string[], log: Logger): string {
  for (const path of paths) {
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      log.debug('no names of PCI devices', { file: path, err: messageOf(error) });
    }
  }
  return '';
}

/**
 * Gives what looks names up during one scrape. What was found is kept, the 1.5 MB of pci.ids are not: they are read again when
 * a new kind of device comes.
 */
function createNames(paths: readonly string[], log: Logger): () => (ids: PciIds) => PciNames {
  const known = new Map<string, PciNames>();
  return () => {
    let text: string | undefined;
    return (ids) => {
      const key = Object.values(ids).join();
      let names = known.get(key);
      if (names === undefined) {
        text ??= readIds(paths, log);
        names = findPciNames(text, ids);
        known.set(key, names);
      }
      return names;
    };
  };
}

export default defineCollector({
  name: 'pcidevice',
  help: 'Exposes PCI devices, their links, power states and virtual functions.',
  enabled: false,
  reads: ['/sys/bus/pci/devices/<device>/*', '/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids'],
  flags: {
    idsfile: flag.text(
      'collector.pcidevice.idsfile',
      'The pci.ids to take names from; by default where Debian or Fedora have it.',
    ),
    names: flag.bool('collector.pcidevice.names', 'Add the names of vendors, devices and classes to the info metric.'),
  },
  metrics,
  setup({ sys, flags, log }) {
    const names = flags.names ? createNames(flags.idsfile === '' ? IDS_FILES : [flags.idsfile], log) : undefined;
    return (out, turn) => {
      const list = optional(() => sys.list(DEVICES));
      if (list === undefined) throw new NoDataError('no PCI bus');
      const namesOf = names?.();
      return eachDevice(list, turn, (name) => {
        const device = readDevice(sys, name);
        if (device !== undefined) collectDevice(device, namesOf?.(device.ids), out);
      });
    };
  },
});
