import { defineCollector } from '../core/collector.ts';
import { eachDevice, reading } from '../core/devices.ts';
import { optional, parsed } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { int } from '../core/text.ts';

const THERMAL = 'class/thermal';
const ZONE = /^thermal_zone(?=[0-9])/;
const COOLING = /^cooling_device(?=[0-9])/;

export default defineCollector({
  name: 'thermal_zone',
  help: 'Exposes thermal zones and cooling devices.',
  enabled: true,
  reads: [
    '/sys/class/thermal/thermal_zone<number>/{type,temp}',
    '/sys/class/thermal/cooling_device<number>/{type,cur_state,max_state}',
  ],
  flags: {},
  /** https://docs.kernel.org/driver-api/thermal/sysfs-api.html */
  metrics: {
    temp: gauge('node_thermal_zone_temp', 'Temperature of the zone in degrees Celsius.', 'zone', 'type'),
    current: gauge('node_cooling_device_cur_state', 'How hard the device cools at this moment.', 'name', 'type'),
    max: gauge('node_cooling_device_max_state', 'How hard the device can cool.', 'name', 'type'),
  },
  setup({ sys }, metrics) {
    const attribute = (path: string): string | undefined => reading(() => sys.readOnce(`${THERMAL}/${path}`))?.trim();
    const number = (path: string): number | undefined => {
      const text = attribute(path);
      return text === undefined ? undefined : parsed(int(text), sys.path(`${THERMAL}/${path}`), text);
    };
    return async (out, turn) => {
      const names = optional(() => sys.list(THERMAL)) ?? [];
      await eachDevice(names, turn, (name) => {
        const kind = ZONE.exec(name)?.[0] ?? COOLING.exec(name)?.[0];
        const type = kind === undefined ? undefined : attribute(`${name}/type`);
        if (kind === undefined || type === undefined) return;
        const id = name.slice(kind.length);
        if (kind === 'thermal_zone') {
          const milliCelsius = number(`${name}/temp`);
          if (milliCelsius !== undefined) out.sample(metrics.temp, milliCelsius / 1000, id, type);
          return;
        }
        const current = number(`${name}/cur_state`);
        if (current !== undefined) out.sample(metrics.current, current, id, type);
        const max = number(`${name}/max_state`);
        if (max !== undefined) out.sample(metrics.max, max, id, type);
      });
    };
  },
});
