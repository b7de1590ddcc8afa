/** What `keyhole COMMAND --help` says; the man page has it too. */
export const HELPS = {
  doctor: `usage: keyhole doctor [--json] [flags]

Reports whether perf counters can be read here, and if not, why and what to change. It tries as the exporter does, and
believes the kernel's answer above all. It also looks at text files, the web configuration, energy and the systemd unit:
by the flags given, or by those of the Keyhole that runs here. The status is 0, or 1 where counters do
not open or something else cannot be used.
`,
  events: `usage: keyhole events [--json] [--path.sysfs=/sys]

Lists what --collector.perf.events, --collector.perf.presets and --collector.perf.cgroup-include can name on this machine.
It opens nothing: whether counters may be opened is what "keyhole doctor" tries.
`,
  collectors: `usage: keyhole collectors [--json] [flags]

Runs every collector that the flags switch on, twice, and reports how the second run went: its state, how many series it
wrote, how long it took, and why it gave nothing. The status is 0, or 1 where a collector failed.
`,
  explain: `usage: keyhole explain METRIC [--json] [flags]

Reports which collector a metric comes from, from which kernel file, where in it the value stands now, the kernel's own
document, and a query to use it. METRIC is a name, or a name with labels in quotes: 'node_cpu_seconds_total{mode="user"}'.
To find the place, the collector runs over a copy of its files in which one number after the other is changed: the number
that changes the metric is the one. Where none does, the report says so. For what the exporter says of itself, the one
that serves at --web.listen-address is asked.
`,
  check: `usage: keyhole check [flags]

Checks what the flags ask for, without serving: the flags themselves, the collectors that they switch on, the web
configuration with its certificates, and the folders of text files. The status is 0, or 1 where something cannot be used.
`,
  compare: `usage: keyhole compare [--json] [--insecure] FIRST SECOND

Shows what FIRST has and SECOND has not: families, types, series, and values that differ by more than FIRST itself
moves in a second. Each is a URL or a file that holds a scrape. A URL without a path means /metrics; it may hold a
name and a password (https://name:password@host:9100). NODE_EXTRA_CA_CERTS names a file of further authorities.

The status is 0 where nothing is lost, 1 where a family, a type or a series is, 2 where one of them cannot be read.
Families about the exporter itself (go_*, process_*, promhttp_* and the like) are shown and are no loss, nor are
labels that come in addition.
`,
} as const;
