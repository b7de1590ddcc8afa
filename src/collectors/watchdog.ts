import { noData } from '../core/absent.ts';
import { defineCollector } from '../core/collector.ts';
import { gauge } from '../core/metric.ts';

/** Files with a number, by the metric's key. */
const NUMBERS = [
  ['bootStatus', 'bootstatus'],
  ['firmware', 'fw_version'],
  ['noWayOut', 'nowayout'],
  ['timeLeft', 'timeleft'],
  ['timeout', 'timeout'],
  ['preTimeout', 'pretimeout'],
  ['access', 'access_cs0'],
] as const;

const TEXTS = ['options', 'identity', 'state', 'status', 'pretimeout_governor'] as const;

/** https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-watchdog */
export default defineCollector({
  name: 'watchdog',
  help: 'Exposes the state of watchdogs.',
  enabled: true,
  reads: ['/sys/class/watchdog/<watchdog>/*'],
  flags: {},
  metrics: {
    bootStatus: gauge('node_watchdog_bootstatus', 'Flags that the watchdog had when the machine booted.', 'name'),
    firmware: gauge('node_watchdog_fw_version', "Version of the watchdog's firmware.", 'name'),
    noWayOut: gauge('node_watchdog_nowayout', 'Whether the watchdog, once started, cannot be stopped.', 'name'),
    timeLeft: gauge('node_watchdog_timeleft_seconds', 'Time left before the watchdog resets the machine.', 'name'),
    timeout: gauge('node_watchdog_timeout_seconds', 'How often the watchdog must hear from the machine.', 'name'),
    preTimeout: gauge(
      'node_watchdog_pretimeout_seconds',
      'How long before the timeout the watchdog warns; 0 where it does not.',
      'name',
    ),
    access: gauge(
      'node_watchdog_access_cs0',
      'Whether the first flash chip is within reach again after a boot from the second.',
      'name',
    ),
    info: gauge(
      'node_watchdog_info',
      'What the watchdog is and does, as labels; always 1.',
      'name',
      'options',
      'identity',
      'state',
      'status',
      'pretimeout_governor',
    ),
  },
  setup({ sys }, metrics) {
    return sys.devices(
      'class/watchdog',
      /./,
      ({ id, word, auto }, out) => {
        out.row(metrics.info, 1, [id, ...TEXTS.map((file) => word(file) ?? '')]);
        for (const [key, file] of NUMBERS) out.sample(metrics[key], auto(file), id);
      },
      { ifAbsent: noData('there is no watchdog that can be read') },
    );
  },
});
