import { flag } from '../core/flag.ts';

/** The flags that belong to no collector. */
export const programFlags = {
  procfs: flag.text('path.procfs', 'procfs mountpoint.', '/proc'),
  sysfs: flag.text('path.sysfs', 'sysfs mountpoint.', '/sys'),
  rootfs: flag.text('path.rootfs', 'rootfs mountpoint.', '/'),
  udevData: flag.text('path.udev.data', 'udev data path.', '/run/udev/data'),
  disableDefaults: flag.bool(
    'collector.disable-defaults',
    'Run only the collectors that are switched on by their flags.',
  ),
  collectorTimeoutMs: flag.duration(
    'collector.timeout',
    'How long a collector may take before a scrape goes on without it.',
    '5s',
  ),
  listenAddress: flag.texts('web.listen-address', 'Addresses to listen on.', [':9100']),
  privilegeMode: flag.choice(
    'privilege.mode',
    'What becomes of the capabilities after the start: sealed gives them all up for good, retained keeps those that reopen counters, none leaves them as they are.',
    ['sealed', 'retained', 'none'],
    'sealed',
  ),
  logLevel: flag.choice('log.level', 'Least level to log.', ['debug', 'info', 'warn', 'error'], 'info'),
} as const;
