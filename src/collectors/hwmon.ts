import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { NOTHING, optional } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Beside, Device, Tree } from '../core/host.ts';
import { dynamic, type Family, gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import type { Reading } from '../core/reading.ts';
import { oneIf } from '../core/words.ts';
import type { LayoutWriter } from '../core/writer.ts';

const HWMON = 'class/hwmon';

const TYPES: ReadonlySet<string> = new Set([
  'vrm',
  'beep_enable',
  'update_interval',
  'in',
  'cpu',
  'fan',
  'pwm',
  'temp',
  'curr',
  'power',
  'energy',
  'humidity',
  'intrusion',
  'freq',
]);

/** What is there once on a chip, in a file without a number. */
const CHIPWIDE: ReadonlySet<string> = new Set(['vrm', 'beep_enable', 'update_interval']);

/** Makes a text fit for a metric's name and for a chip's label. */
const clean = (text: string): string =>
  text
    .toLowerCase()
    .replaceAll(/[^a-z0-9:_]/gu, '_')
    .replace(/^_+|_+$/g, '');

export interface SensorFile {
  /** One of the kernel's types: `temp`, `in`, `fan`… */
  readonly type: string;
  /** Type and number, as the label shows it: `temp1`, `vrm0`. */
  readonly sensor: string;
  /** What the file says of it: `input`, `crit_alarm`; empty where the name has no more. */
  readonly property: string;
}

/** Takes a file's name apart; `undefined` for what is no sensor. https://docs.kernel.org/hwmon/sysfs-interface.html */
export function parseSensorFile(name: string): SensorFile | undefined {
  // Every device has a folder of this name, about its own power management.
  if (name === 'power') return undefined;
  const [, type, number = '', property = ''] = /^([^0-9]+)([0-9]*)(?:_(.+))?$/.exec(name) ?? [];
  if (type === undefined || !TYPES.has(type) || !Number.isSafeInteger(Number(number))) return undefined;
  return { type, sensor: `${type}${Number(number)}`, property };
}

interface Chip {
  /** The folder in `class/hwmon`: `hwmon3`. */
  readonly folder: string;
  /** The cleaned content of `name`; empty where there is none. */
  readonly name: string;
  /** The label `chip`. */
  readonly label: string;
}

/** Where the chip sits tells it from others and lasts; its name is the second choice, its number the last. */
function baseLabel(sys: Tree, folder: string, name: string): string {
  const device = optional(() => sys.real(`${HWMON}/${folder}/device`), [...NOTHING, 'ELOOP']);
  const [parent = '', own = ''] = device?.split('/').slice(-2).map(clean) ?? [];
  if (own !== '') return parent === '' ? own : `${parent}_${own}`;
  return name === '' ? clean(folder) : name;
}

/** Labels the chips. Where several sit at one place, the name is added, or the number where the name does not tell them apart. */
export function labelChips(chips: readonly Chip[]): Chip[] {
  const byLabel = Map.groupBy(chips, ({ label }) => label);
  return chips.map((chip) => {
    const same = byLabel.get(chip.label) as Chip[];
    if (same.length === 1) return chip;
    const unique = chip.name !== '' && same.every((other) => other === chip || other.name !== chip.name);
    return { ...chip, label: `${chip.label}_${unique ? chip.name : clean(chip.folder)}` };
  });
}

/** The chips by their folders. Whether a label is unique depends on all of them: they are looked at together. */
function createChips(sys: Tree): Beside & { find(folder: string): Chip | undefined } {
  const folder = sys.folder(HWMON);
  let byFolder = new Map<string, Chip>();
  let before = '';
  let version = 0;
  return {
    get version() {
      return version;
    },
    find: (name) => byFolder.get(name),
    tryRead(faults) {
      const names = folder.tryNames();
      const chips = names.map((name) => {
        const chip = clean(sys.file(`${HWMON}/${name}/name`).tryText(faults) ?? '');
        return { folder: name, name: chip, label: baseLabel(sys, name, chip) };
      });
      const now = chips.map((chip) => `${chip.folder} ${chip.name} ${chip.label}`).join('\n');
      if (now === before) return true;
      before = now;
      version += 1;
      byFolder = new Map(labelChips(chips).map((chip) => [chip.folder, chip]));
      return true;
    },
  };
}

const metrics = {
  chip: gauge('node_hwmon_chip_names', 'The name that the driver gives to the chip. Always 1.', 'chip', 'chip_name'),
  label: gauge('node_hwmon_sensor_label', 'What the sensor is for. Always 1.', 'chip', 'sensor', 'label'),
  beep: gauge('node_hwmon_beep_enabled', 'Whether the chip beeps at an alarm (1) or not (0).', 'chip', 'sensor'),
  vrm: gauge('node_hwmon_voltage_regulator_version', 'Version of the voltage regulator standard.', 'chip', 'sensor'),
  update: gauge('node_hwmon_update_interval_seconds', 'How often the chip measures.', 'chip', 'sensor'),
  fault: dynamic.gauge('node_hwmon_<sensor>_fault', 'Whether the <sensor> sensor is broken (1).', 'chip', 'sensor'),
  alarm: dynamic.gauge('node_hwmon_<sensor>_alarm', 'Whether the <sensor> sensor raises an alarm.', 'chip', 'sensor'),
  beeps: dynamic.gauge('node_hwmon_<sensor>_beep_enabled', 'Whether a <sensor> alarm beeps (1).', 'chip', 'sensor'),
  volts: dynamic.gauge('node_hwmon_<sensor>_volts', 'Voltage: <sensor>.', 'chip', 'sensor'),
  celsius: dynamic.gauge('node_hwmon_<sensor>_celsius', 'Temperature: <sensor>.', 'chip', 'sensor'),
  amps: dynamic.gauge('node_hwmon_<sensor>_amps', 'Current: <sensor>.', 'chip', 'sensor'),
  joules: dynamic.counter('node_hwmon_<sensor>_joule_total', 'Energy used: <sensor>.', 'chip', 'sensor'),
  seconds: dynamic.gauge('node_hwmon_<sensor>_seconds', 'Interval of averaging: <sensor>.', 'chip', 'sensor'),
  watts: dynamic.gauge('node_hwmon_<sensor>_watt', 'Power: <sensor>.', 'chip', 'sensor'),
  rpm: dynamic.gauge('node_hwmon_<sensor>_rpm', 'Turns in a minute: <sensor>.', 'chip', 'sensor'),
  mhz: gauge('node_hwmon_freq_freq_mhz', 'Frequency of the clock whose label is sensor.', 'chip', 'sensor'),
  other: dynamic.gauge('node_hwmon_<sensor>', 'The sensor file <sensor>, without its number.', 'chip', 'sensor'),
} as const;

type SensorFamily = Family<readonly ['chip', 'sensor']>;

const FAN_RPM: readonly string[] = ['input', 'min', 'max', 'target'];
const POWER_INTERVAL: readonly string[] = ['average_interval', 'average_interval_min', 'average_interval_max'];

/** The family of a property and its value there, in the family's unit. `field` is type and property as the name shows them. */
function measured(type: string, property: string, field: string, value: Reading): [SensorFamily, Reading] {
  if (property === 'fault') return [metrics.fault.of(type), value];
  if (property === 'alarm') return [metrics.alarm.of(type), value];
  if (property === 'beep') return [metrics.beeps.of(type), value];
  if (type === 'in' || type === 'cpu') return [metrics.volts.of(field), value.times(MILLI)];
  if (type === 'temp' && property !== 'type') return [metrics.celsius.of(field), value.times(MILLI)];
  if (type === 'curr') return [metrics.amps.of(field), value.times(MILLI)];
  if (type === 'energy') return [metrics.joules.of(field), value.over(MILLION)];
  if (type === 'humidity') return [metrics.other.of(field), value.over(MILLION)];
  if (type === 'fan' && FAN_RPM.includes(property)) return [metrics.rpm.of(field), value];
  if (type !== 'power') return [metrics.other.of(field), value];
  if (property === 'accuracy') return [metrics.other.of(field), value.over(MILLION)];
  if (POWER_INTERVAL.includes(property)) return [metrics.seconds.of(field), value.times(MILLI)];
  return [metrics.watts.of(field), value.over(MILLION)];
}

const MILLI = 0.001;
const MILLION = 1_000_000;

interface Sensor {
  readonly chip: string;
  /** As in the label `sensor`. */
  readonly name: string;
  readonly type: string;
  /** Its files, by property. */
  readonly files: Map<string, string>;
}

/** Where both folders of a chip have a file, the device's is the one that counts. */
function sensorsOf(device: Device, chip: string, isWanted: (sensor: string) => boolean): Iterable<Sensor> {
  const sensors = new Map<string, Sensor>();
  for (const path of [...device.list(), ...device.list('device').map((name) => `device/${name}`)]) {
    const file = parseSensorFile(path.replace('device/', ''));
    if (file === undefined || !isWanted(file.sensor)) continue;
    const sensor = sensors.get(file.sensor) ?? {
      chip,
      name: file.sensor,
      type: file.type,
      files: new Map<string, string>(),
    };
    sensors.set(file.sensor, sensor);
    sensor.files.set(file.property, path);
  }
  return sensors.values();
}

function writeProperty(device: Device, { chip, name, type, files }: Sensor, property: string, out: LayoutWriter): void {
  const value = device.numberOrNothing(files.get(property) as string);
  if (value === undefined) return;
  if (type === 'freq' && property === 'input') {
    const label = labelOf(device, files);
    if (label !== undefined) out.sample(metrics.mhz, value.over(MILLION), chip, clean(label));
    return;
  }
  // A bare file and one for the input would be the same series.
  const suffix = property === 'input' && !files.has('') ? '' : property;
  const field = suffix === '' ? type : `${type}_${clean(suffix)}`;
  out.sample(...measured(type, property, field, value), chip, name);
}

function labelOf(device: Device, files: Sensor['files']): string | undefined {
  const file = files.get('label');
  return file === undefined ? undefined : device.fixed(file);
}

function writeSensor(device: Device, sensor: Sensor, out: LayoutWriter): void {
  const { chip, name, type, files } = sensor;
  const label = labelOf(device, files);
  if (label !== undefined) out.sample(metrics.label, 1, chip, name, label);
  const bare = files.get('');
  if (bare !== undefined && type === 'beep_enable') out.sample(metrics.beep, oneIf(device.word(bare), '1'), chip, name);
  if (bare !== undefined && type === 'vrm') out.sample(metrics.vrm, device.numberOrNothing(bare), chip, name);
  if (bare !== undefined && type === 'update_interval')
    out.sample(metrics.update, device.numberOrNothing(bare)?.times(MILLI), chip, name);
  if (CHIPWIDE.has(type)) return;
  for (const property of files.keys()) if (property !== 'label') writeProperty(device, sensor, property, out);
}

export default defineCollector({
  name: 'hwmon',
  help: 'Exposes temperatures, voltages, fans and other hardware sensors.',
  enabled: true,
  reads: ['/sys/class/hwmon/hwmon<number>/*', '/sys/class/hwmon/hwmon<number>/device/*'],
  flags: {
    chipInclude: flag.regexp('collector.hwmon.chip-include', 'Chips to include.'),
    chipExclude: flag.regexp('collector.hwmon.chip-exclude', 'Chips to leave out.'),
    sensorInclude: flag.regexp('collector.hwmon.sensor-include', 'Sensors to include, as <chip>;<sensor>.'),
    sensorExclude: flag.regexp('collector.hwmon.sensor-exclude', 'Sensors to leave out, as <chip>;<sensor>.'),
  },
  metrics,
  setup({ sys, flags }) {
    const chips = createChips(sys);
    return sys.devices(
      HWMON,
      /./,
      (device, out) => {
        const chip = chips.find(device.path.slice(HWMON.length + 1));
        if (chip === undefined || !passes(chip.label, flags.chipInclude, flags.chipExclude)) return;
        const isWanted = (sensor: string): boolean =>
          passes(`${chip.label};${sensor}`, flags.sensorInclude, flags.sensorExclude);
        if (chip.name !== '') out.sample(metrics.chip, 1, chip.label, chip.name);
        for (const sensor of sensorsOf(device, chip.label, isWanted)) writeSensor(device, sensor, out);
      },
      { beside: [chips], ifAbsent: noData(`no ${sys.path(HWMON)}`) },
    );
  },
});
