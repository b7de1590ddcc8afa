import { UsageError } from '../core/errors.ts';
import { type Flag, flag } from '../core/flag.ts';
import { LOG_FORMATS, LOG_LEVELS } from '../core/log.ts';

const collectorTimeout = flag.duration(
  'collector.timeout',
  'How long a collector may take before a scrape goes on without it.',
  '5s',
);
/** No timer waits longer, and one that is asked to does not wait at all. */
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

const logLevel = flag.choice('log.level', 'Log messages of this level and above.', LOG_LEVELS, 'info');

/** The flags that belong to no collector, in the order of `--help`. */
export const programFlags = {
  help: flag.bool('help', 'Show this help and exit.', false, { short: 'h' }),
  helpLong: flag.bool('help-long', 'Show the help with the hidden flags too and exit.', false, { hidden: true }),
  helpMan: flag.bool('help-man', 'Write a man page and exit.', false, { hidden: true }),
  completionBash: flag.bool('completion-bash', 'Write what could complete the given words and exit.', false, {
    hidden: true,
  }),
  completionScriptBash: flag.bool('completion-script-bash', 'Write a completion script for bash and exit.', false, {
    hidden: true,
  }),
  completionScriptZsh: flag.bool('completion-script-zsh', 'Write a completion script for zsh and exit.', false, {
    hidden: true,
  }),
  completionScriptFish: flag.bool('completion-script-fish', 'Write a completion script for fish and exit.', false, {
    hidden: true,
  }),
  version: flag.bool('version', 'Show the version and exit.'),
  procfs: flag.text('path.procfs', 'Where the proc file system is mounted.', '/proc'),
  sysfs: flag.text('path.sysfs', 'Where the sys file system is mounted.', '/sys'),
  rootfs: flag.text('path.rootfs', "Where the host's root file system is mounted.", '/'),
  udevData: flag.text(
    'path.udev.data',
    'Where udev keeps what it knows about devices. Where it is not given and there is no such folder, the one below --path.rootfs serves.',
    '/run/udev/data',
  ),
  disableDefaults: flag.bool(
    'collector.disable-defaults',
    'Run only the collectors that are switched on by their flags.',
  ),
  collectorTimeoutMs: {
    ...collectorTimeout,
    parse: (texts: readonly string[]) => {
      const timeoutMs = collectorTimeout.parse(texts);
      if (timeoutMs <= 0) throw new UsageError('no collector would have any time');
      return Math.min(timeoutMs, TIMEOUT_MAX_MS);
    },
  },
  privilegeMode: flag.choice(
    'privilege.mode',
    'What to do with capabilities after the start: sealed gives all of them up for good; separated does too, and keeps a second process that opens counters for this one; retained keeps those that reopen counters; none keeps them as they are.',
    ['sealed', 'separated', 'retained', 'none'],
    'sealed',
  ),
  privilegeUser: flag.text(
    'privilege.user',
    'The user who serves if root started the program: a name of /etc/passwd, uid or uid:gid; auto means 65534, or root without capabilities if a metric needs root.',
    'auto',
  ),
  privilegeSandbox: flag.choice(
    'privilege.sandbox',
    'Whether the process shuts what it does not need by Landlock and a filter of system calls: auto takes what the kernel has, require does not start without both.',
    ['auto', 'off', 'require'],
    'auto',
  ),
  listenAddress: flag.texts(
    'web.listen-address',
    'Address to listen on, as host:port or [IPv6]:port; an empty host means every address. Repeatable.',
    [':9100'],
  ),
  systemdSocket: flag.bool(
    'web.systemd-socket',
    'Serve on the sockets that systemd hands over, and not on --web.listen-address. On by itself where there are any.',
  ),
  telemetryPath: flag.text('web.telemetry-path', 'The path under which the metrics are.', '/metrics'),
  maxRequests: flag.int(
    'web.max-requests',
    'How many scrapes may be under way at once, filtered ones included; 0 means any number.',
    40,
  ),
  disableExporterMetrics: flag.bool(
    'web.disable-exporter-metrics',
    'Leave out the metrics about the exporter itself (promhttp_*, process_*, nodejs_*).',
  ),
  webConfigFile: flag.text('web.config.file', 'A file that switches on TLS, passwords or limits (docs/http.md).'),
  goMaxProcs: flag.int('runtime.gomaxprocs', 'Accepted for compatibility; has no effect.', 1, { env: 'GOMAXPROCS' }),
  logLevel: { ...logLevel, parse: (texts: readonly string[]) => logLevel.parse(texts.map((t) => t.toLowerCase())) },
  logFormat: flag.choice('log.format', 'How log messages are written.', LOG_FORMATS, 'logfmt'),
} as const;

/** The flags that commands have besides. */
export const commandFlags = {
  json: flag.bool('json', 'Write JSON.'),
  insecure: flag.bool('insecure', 'Take any TLS certificate.'),
  help: flag.bool('help', 'Show what it does.'),
} as const;

/** Those that print something and end the program, wherever they stand. */
export const printingFlags: readonly Flag[] = [
  programFlags.help,
  programFlags.helpLong,
  programFlags.helpMan,
  programFlags.completionBash,
  programFlags.completionScriptBash,
  programFlags.completionScriptZsh,
  programFlags.completionScriptFish,
  programFlags.version,
];
