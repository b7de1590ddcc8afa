import { HELPS } from './command_helps.ts';
import { commandNames, ownFlagsOf, takesServerFlags } from './commands.ts';

/** Escapes for roff: backslashes, dashes, and dots and quotes at the start of a line. Long patterns may be broken at bars. */
export const roff = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/[|/,](?=\S)/g, '$&\\:')
    .replace(/^(?=[.'])/gm, '\\&');

const entries = (all: readonly (readonly [word: string, meaning: string])[]): string =>
  all.map(([word, meaning]) => `.TP\n\\fB${roff(word)}\\fR\n${roff(meaning)}`).join('\n');

/** What `COMMAND --help` says, and the flags that the command has of its own. */
function commandSection(name: keyof typeof HELPS): string {
  const [usage = '', ...paragraphs] = HELPS[name].trimEnd().split('\n\n');
  const own = ownFlagsOf(name);
  const others = takesServerFlags(name) ? `.PP\n[flags] are those of ${roff('OPTIONS')}.` : '';
  return [
    `.SS ${roff(usage.replace('usage: keyhole ', ''))}`,
    paragraphs.map(roff).join('\n.PP\n'),
    entries(own.map((flag) => [`--${flag.name}`, flag.help])),
    others,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

export const commandSections = (): string =>
  commandNames.map((name) => commandSection(name as keyof typeof HELPS)).join('\n');

const STATUSES = [
  ['0', 'Serving ended by SIGTERM or SIGINT, or there was only something to print. A command found nothing wrong.'],
  [
    '1',
    'The command line, a configuration file or an address cannot be used. doctor, collectors and check: something does not work. compare: something is lost.',
  ],
  ['2', 'compare: one of the two cannot be read.'],
  [
    '75',
    'Something changed that only a new start takes up, such as CPUs that came. A service manager should start it again.',
  ],
] as const;

const FILES = [
  [
    '/etc/default/keyhole',
    "The packages' unit takes the flags in ARGS of this file, and while there are none those in /etc/default/prometheus-node-exporter.",
  ],
  [
    '--web.config.file',
    'TLS, passwords and limits, in the format of the Prometheus exporter toolkit. It is read again when it changes.',
  ],
  ['--collector.textfile.directory', 'Metrics of other programs, in files that end with .prom.'],
] as const;

const ENVIRONMENT = [
  ['KEYHOLE_DEFAULTS', 'Flags, with blanks between them, that hold where the command line does not give them.'],
  ['GOMAXPROCS', 'Accepted for compatibility; has no effect.'],
  ['LISTEN_PID, LISTEN_FDS', 'Sockets that systemd hands over.'],
  ['DBUS_SYSTEM_BUS_ADDRESS', "Where the collectors systemd and logind find the system's bus."],
  ['NODE_EXTRA_CA_CERTS', 'A file of authorities that compare trusts besides.'],
] as const;

const examples = (program: string): readonly (readonly [string, string])[] => [
  [`${program} --collector.perf`, 'Serve on port 9100, with counters of the CPUs.'],
  [`${program} --collector.disable-defaults --collector.cpu`, 'Serve the metrics of one collector.'],
  [`${program} doctor`, 'Find out why counters do not open.'],
  [`${program} explain node_load1`, 'Show the line of the kernel file from which a metric comes.'],
  [`${program} check --web.config.file=web.yml`, 'Check a web configuration before it is used.'],
  [`${program} compare http://localhost:9100 http://localhost:9101`, 'Show what would be lost by taking the second.'],
];

/** What follows the options. */
export const lastSections = (program: string): string => `.SH EXIT STATUS
${entries(STATUSES)}
.SH FILES
${entries(FILES)}
.SH ENVIRONMENT
${entries(ENVIRONMENT)}
.SH EXAMPLES
${entries(examples(program))}
.SH SEE ALSO
.BR perf_event_open (2),
.BR proc (5),
.BR sysfs (5),
.BR systemd.exec (5),
.BR capabilities (7)
.PP
Pages below docs/ that this page names are part of the sources.
`;
