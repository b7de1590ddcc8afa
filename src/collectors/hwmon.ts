import { defineCollector, type Host, type Turn } from '../core/collector.ts';
import { eachDevice } from '../core/devices.ts';
import { errnoOf, messageOf, NoDataError, optional } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { dynamic, type Family, gauge } from '../core/metric.ts';
import { passes } from '../core/pattern.ts';
import { float } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

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
  /** What the file tells of it: `input`, `crit_alarm`; empty where the name has no more. */
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

type Read = (path: string) => string | undefined;

/** Reads a file, or answers `undefined` where the system refuses for whatever reason: a broken sensor is lost alone. */
const readerOf =
  ({ sys, log }: Pick<Host, 'sys' | 'log'>): Read =>
  (path) => {
    try {
      return sys.readOnce(path);
    } catch (error) {
      if (errnoOf(error) === undefined) throw error;
      log.debug('not readable', { file: path, err: messageOf(error) });
      return undefined;
    }
  };

/** Where the chip sits tells it from others and lasts; its name is the second choice, its number the last. */
function baseLabel(sys: Tree, folder: string, name: string): string {
  const device = optional(() => sys.real(`${HWMON}/${folder}/device`), ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP']);
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

function findChips(sys: Tree, read: Read): Chip[] {
  const folders = optional(() => sys.list(HWMON));
  if (folders === undefined) throw new NoDataError(`no ${sys.path(HWMON)}`);
  const chips = folders.map((folder) => {
    const name = clean(read(`${HWMON}/${folder}/name`) ?? '');
    return { folder, name, label: baseLabel(sys, folder, name) };
  });
  return labelChips(chips);
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
function measured(type: string, property: string, field: string, value: number): [SensorFamily, number] {
  if (property === 'fault') return [metrics.fault.of(type), value];
  if (property === 'alarm') return [metrics.alarm.of(type), value];
  if (property === 'beep') return [metrics.beeps.of(type), value];
  if (type === 'in' || type === 'cpu') return [metrics.volts.of(field), value * 0.001];
  if (type === 'temp' && property !== 'type') return [metrics.celsius.of(field), value * 0.001];
  if (type === 'curr') return [metrics.amps.of(field), value * 0.001];
  if (type === 'energy') return [metrics.joules.of(field), value / 1000000];
  if (type === 'humidity') return [metrics.other.of(field), value / 1000000];
  if (type === 'fan' && FAN_RPM.includes(property)) return [metrics.rpm.of(field), value];
  if (type !== 'power') return [metrics.other.of(field), value];
  if (property === 'accuracy') return [metrics.other.of(field), value / 1000000];
  if (POWER_INTERVAL.includes(property)) return [metrics.seconds.of(field), value * 0.001];
  return [metrics.watts.of(field), value / 1000000];
}

interface Sensor {
  readonly chip: string;
  /** As in the label `sensor`. */
  readonly name: string;
  readonly type: string;
  /** What its files hold, by property. */
  readonly texts: Map<string, string>;
}

function tellProperty(out: Writer, { chip, name, type, texts }: Sensor, property: string, text: string): void {
  const value = float(text);
  if (value === undefined || property === 'label') return;
  if (type === 'freq' && property === 'input') {
    const label = texts.get('label');
    if (label !== undefined) out.sample(metrics.mhz, value / 1000000, chip, clean(label));
    return;
  }
  // A bare file and one for the input would be the same series.
  const suffix = property === 'input' && !texts.has('') ? '' : property;
  const field = suffix === '' ? type : `${type}_${clean(suffix)}`;
  out.sample(...measured(type, property, field, value), chip, name);
}

function tellSensor(out: Writer, sensor: Sensor): void {
  const { chip, name, type, texts } = sensor;
  const label = texts.get('label');
  if (label !== undefined) out.sample(metrics.label, 1, chip, name, label);
  const bare = texts.get('');
  const value = float(bare);
  if (type === 'beep_enable') out.sample(metrics.beep, bare === '1' ? 1 : 0, chip, name);
  else if (type === 'vrm' && value !== undefined) out.sample(metrics.vrm, value, chip, name);
  else if (type === 'update_interval' && value !== undefined) out.sample(metrics.update, value * 0.001, chip, name);
  if (CHIPWIDE.has(type)) return;
  for (const [property, text] of texts) tellProperty(out, sensor, property, text);
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
  setup(host) {
    const { sys, flags } = host;
    const read = readerOf(host);
    const sensorsOf = async ({ folder, label }: Chip, names: readonly string[], turn: Turn): Promise<Sensor[]> => {
      const sensors = new Map<string, Sensor>();
      const device = optional(() => sys.list(`${HWMON}/${folder}/device`)) ?? [];
      // Where both folders have a file, the device's is the one that counts.
      for (const path of [...names, ...device.map((name) => `device/${name}`)]) {
        const file = parseSensorFile(path.replace('device/', ''));
        if (file === undefined || !passes(`${label};${file.sensor}`, flags.sensorInclude, flags.sensorExclude))
          continue;
        await turn.pause();
        const text = read(`${HWMON}/${folder}/${path}`);
        if (text === undefined) continue;
        const { sensor: name, type, property } = file;
        const sensor = sensors.get(name) ?? { chip: label, name, type, texts: new Map<string, string>() };
        sensors.set(name, sensor);
        sensor.texts.set(property, text.replaceAll(/^\n+|\n+$/g, ''));
      }
      return [...sensors.values()];
    };
    return (out, turn) =>
      eachDevice(findChips(sys, read), turn, async (chip) => {
        if (!passes(chip.label, flags.chipInclude, flags.chipExclude)) return;
        const names = optional(() => sys.list(`${HWMON}/${chip.folder}`));
        if (names === undefined) return;
        if (chip.name !== '') out.sample(metrics.chip, 1, chip.label, chip.name);
        for (const sensor of await sensorsOf(chip, names, turn)) tellSensor(out, sensor);
      });
  },
});
