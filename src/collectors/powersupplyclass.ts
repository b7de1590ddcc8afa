import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { flag } from '../core/flag.ts';
import { type Family, gauge } from '../core/metric.ts';

const supply = (name: string, help: string) => gauge(`node_power_supply_${name}`, help, 'power_supply');

/** As the kernel gives them. */
const plain = {
  authentic: supply('authentic', 'Whether the supply is the genuine part (1) or not (0).'),
  calibrate: supply('calibrate', 'Whether the battery is being calibrated (1).'),
  capacity: supply('capacity', 'Charge in percent.'),
  capacity_alert_max: supply('capacity_alert_max', 'Charge in percent above which there is an alert.'),
  capacity_alert_min: supply('capacity_alert_min', 'Charge in percent below which there is an alert.'),
  cycle_count: supply('cyclecount', 'Times that the battery was charged and discharged.'),
  online: supply('online', 'Whether the supply gives power: 0 no, 1 fixed voltage, 2 programmable voltage.'),
  present: supply('present', 'Whether the battery is in its place (1) or not (0).'),
  time_to_empty_now: supply('time_to_empty_seconds', 'Time until the battery is empty.'),
  time_to_full_now: supply('time_to_full_seconds', 'Time until the battery is full.'),
} as const;

/** In millionths of ampere, ampere-hour, volt, watt or watt-hour. */
const millionths = {
  current_boot: supply('current_boot', 'Current at boot in amperes.'),
  current_max: supply('current_max', 'Highest current in amperes.'),
  current_now: supply('current_ampere', 'Current in amperes.'),
  energy_empty: supply('energy_empty', 'Energy of the empty battery in watt-hours.'),
  energy_empty_design: supply('energy_empty_design', 'Energy of the empty battery by design in watt-hours.'),
  energy_full: supply('energy_full', 'Energy of the full battery in watt-hours.'),
  energy_full_design: supply('energy_full_design', 'Energy of the full battery by design in watt-hours.'),
  energy_now: supply('energy_watthour', 'Energy in the battery in watt-hours.'),
  voltage_boot: supply('voltage_boot', 'Voltage at boot in volts.'),
  voltage_max: supply('voltage_max', 'Highest voltage seen in volts.'),
  voltage_max_design: supply('voltage_max_design', 'Highest voltage by design in volts.'),
  voltage_min: supply('voltage_min', 'Lowest voltage seen in volts.'),
  voltage_min_design: supply('voltage_min_design', 'Lowest voltage by design in volts.'),
  voltage_now: supply('voltage_volt', 'Voltage in volts.'),
  voltage_ocv: supply('voltage_ocv', 'Voltage without a load in volts.'),
  charge_control_limit: supply('charge_control_limit', 'Limit set for the charging current.'),
  charge_control_limit_max: supply('charge_control_limit_max', 'Highest limit for the charging current.'),
  charge_counter: supply('charge_counter', 'Charge counted since the counter was reset in ampere-hours.'),
  charge_empty: supply('charge_empty', 'Charge of the empty battery in ampere-hours.'),
  charge_empty_design: supply('charge_empty_design', 'Charge of the empty battery by design in ampere-hours.'),
  charge_full: supply('charge_full', 'Charge of the full battery in ampere-hours.'),
  charge_full_design: supply('charge_full_design', 'Charge of the full battery by design in ampere-hours.'),
  charge_now: supply('charge_ampere', 'Charge in the battery in ampere-hours.'),
  charge_term_current: supply('charge_term_current', 'Current at which charging ends in amperes.'),
  constant_charge_current: supply('constant_charge_current', 'Constant current of charging in amperes.'),
  constant_charge_current_max: supply('constant_charge_current_max', 'Highest constant current in amperes.'),
  constant_charge_voltage: supply('constant_charge_voltage', 'Constant voltage of charging in volts.'),
  constant_charge_voltage_max: supply('constant_charge_voltage_max', 'Highest constant voltage in volts.'),
  precharge_current: supply('precharge_current', 'Current of charging a deeply discharged battery in amperes.'),
  input_current_limit: supply('input_current_limit', 'Limit for the current drawn from the supply in amperes.'),
  power_now: supply('power_watt', 'Power in watts.'),
} as const;

/** In tenths of a degree Celsius. */
const tenths = {
  temp: supply('temp_celsius', 'Temperature of the battery.'),
  temp_alert_max: supply('temp_alert_max_celsius', 'Temperature above which there is an alert.'),
  temp_alert_min: supply('temp_alert_min_celsius', 'Temperature below which there is an alert.'),
  temp_ambient: supply('temp_ambient_celsius', 'Temperature around the supply.'),
  temp_ambient_max: supply('temp_ambient_max_celsius', 'Highest temperature around the supply.'),
  temp_ambient_min: supply('temp_ambient_min_celsius', 'Lowest temperature around the supply.'),
  temp_max: supply('temp_max_celsius', 'Highest temperature that the battery may have.'),
  temp_min: supply('temp_min_celsius', 'Lowest temperature that the battery may have.'),
} as const;

/** Those of the attributes that are texts, in the order of output. */
const INFO = [
  'capacity_level',
  'charge_type',
  'health',
  'manufacturer',
  'model_name',
  'scope',
  'serial_number',
  'status',
  'technology',
  'type',
  'usb_type',
] as const;

interface Scaled {
  readonly family: Family<readonly [string]>;
  readonly divisor: number;
}

function byAttribute(): Map<string, Scaled> {
  const all = new Map<string, Scaled>();
  for (const [families, divisor] of [
    [plain, 1],
    [millionths, 1e6],
    [tenths, 10],
  ] as const)
    for (const [name, family] of Object.entries(families)) all.set(name, { family, divisor });
  return all;
}

/** One family for each set of labels that is seen: an attribute that a supply lacks is no label. */
function infoFamilies({ name, help }: Family): (labels: readonly string[]) => Family {
  const known = new Map<string, Family>();
  return (labels) => {
    const key = labels.join();
    let found = known.get(key);
    if (found === undefined) {
      found = gauge(name, help, 'power_supply', ...labels);
      known.set(key, found);
    }
    return found;
  };
}

const SUPPLIES = 'class/power_supply';

export default defineCollector({
  name: 'powersupplyclass',
  help: 'Exposes batteries, chargers and other power supplies.',
  enabled: true,
  reads: ['/sys/class/power_supply/<supply>/*'],
  flags: {
    ignored: flag.regexp('collector.powersupply.ignored-supplies', 'Power supplies to leave out.', '^$'),
  },
  /** https://docs.kernel.org/ABI/testing/sysfs-class-power.html */
  metrics: {
    ...plain,
    ...millionths,
    ...tenths,
    info: gauge(
      'node_power_supply_info',
      'What the supply says of itself, in labels; those that it lacks are left out. Always 1.',
      'power_supply',
      ...INFO,
    ),
  },
  setup({ sys, flags }, { info }) {
    const scaled = byAttribute();
    const infoFamily = infoFamilies(info);
    return sys.devices(
      SUPPLIES,
      /./,
      (supply, out) => {
        if (flags.ignored?.test(supply.id)) return;
        const there = new Set(supply.list());
        if (there.size === 0) return;
        const labels: string[] = [];
        const values = [supply.id];
        for (const label of INFO) {
          const text = there.has(label) ? supply.word(label) : undefined;
          if (text === undefined) continue;
          labels.push(label);
          values.push(text);
        }
        out.row(infoFamily(labels), 1, values);
        for (const [file, { family, divisor }] of scaled)
          if (there.has(file)) out.sample(family, supply.auto(file)?.over(divisor), supply.id);
      },
      { ifAbsent: noData(`no ${sys.path(SUPPLIES)}`) },
    );
  },
});
