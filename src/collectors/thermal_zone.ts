import { nothing } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

const KIND = /^(?:thermal_zone|cooling_device)(?=[0-9])/;

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
    return sys.devices(
      'class/thermal',
      KIND,
      ({ id, fixed, number }, out) => {
        const type = fixed('type') ?? '';
        const name = id.replace(KIND, '');
        if (id.startsWith('thermal_zone')) return out.sample(metrics.temp, number('temp')?.over(1000), name, type);
        out.sample(metrics.current, number('cur_state'), name, type);
        out.sample(metrics.max, number('max_state'), name, type);
      },
      { ifAbsent: nothing },
    );
  },
});
