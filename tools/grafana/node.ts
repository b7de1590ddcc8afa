// The overview of a machine: what most people look for first, on one page.
import { CHOSEN, dashboard, figure, graph, list, type Query, row } from './panels.ts';

const M = `{${CHOSEN}}`;
const rate = (metric: string, more = ''): string => `rate(${metric}{${CHOSEN}${more}}[$__rate_interval])`;
const query = (expr: string, legend: string): Query => ({ expr, legend });
const MACHINE = '{{instance}}';
const share = { unit: 'percentunit', max: 1 } as const;
const LOCAL = ', fstype!~"tmpfs|ramfs|squashfs|overlay"';

const overview = [
  row('At a glance'),
  figure({
    title: 'Uptime',
    about: 'Since the machine was started.',
    unit: 's',
    queries: [query(`node_time_seconds${M} - node_boot_time_seconds${M}`, MACHINE)],
  }),
  figure({
    title: 'CPUs busy',
    about: 'The share of all CPU time that was neither idle nor waiting for a disk.',
    ...share,
    queries: [
      query(
        `1 - sum by (job, instance) (${rate('node_cpu_seconds_total', ', mode=~"idle|iowait"')}) / sum by (job, instance) (${rate('node_cpu_seconds_total')})`,
        MACHINE,
      ),
    ],
    limits: [0.8, 0.95],
  }),
  figure({
    title: 'Memory used',
    about: 'What programs could not get.',
    ...share,
    queries: [query(`1 - node_memory_MemAvailable_bytes${M} / node_memory_MemTotal_bytes${M}`, MACHINE)],
    limits: [0.85, 0.95],
  }),
  figure({
    title: 'Fullest file system',
    about: 'The largest share used.',
    ...share,
    queries: [
      query(
        `max by (job, instance) (1 - node_filesystem_avail_bytes{${CHOSEN}${LOCAL}} / node_filesystem_size_bytes{${CHOSEN}${LOCAL}})`,
        MACHINE,
      ),
    ],
    limits: [0.85, 0.95],
  }),
  figure({
    title: 'Load by CPUs',
    about: 'Above 1 tasks wait.',
    unit: 'none',
    queries: [
      query(
        `node_load5${M} / on (job, instance) count by (job, instance) (node_cpu_seconds_total{${CHOSEN}, mode="idle"})`,
        MACHINE,
      ),
    ],
    limits: [1, 3],
  }),
  figure({
    title: 'CPUs',
    about: 'Online now.',
    unit: 'none',
    queries: [query(`count by (job, instance) (node_cpu_seconds_total{${CHOSEN}, mode="idle"})`, MACHINE)],
  }),
];

const cpu = [
  row('CPU'),
  graph({
    title: 'CPU time by mode',
    about: 'In CPUs: 2 means that two were busy so all the time.',
    unit: 'none',
    isStacked: true,
    queries: [
      query(
        `sum by (job, instance, mode) (${rate('node_cpu_seconds_total', ', mode!="idle"')})`,
        '{{instance}} {{mode}}',
      ),
    ],
  }),
  graph({
    title: 'Load',
    about: 'Tasks that run, want to, or wait for a disk.',
    unit: 'none',
    queries: [
      query(`node_load1${M}`, '{{instance}} 1 m'),
      query(`node_load5${M}`, '{{instance}} 5 m'),
      query(`node_load15${M}`, '{{instance}} 15 m'),
    ],
  }),
  graph({
    title: 'Time that tasks waited (PSI)',
    about: 'The share of time in which some task waited for a CPU, for memory or for a disk.',
    ...share,
    queries: [
      query(rate('node_pressure_cpu_waiting_seconds_total'), '{{instance}} CPU'),
      query(rate('node_pressure_memory_waiting_seconds_total'), '{{instance}} memory'),
      query(rate('node_pressure_io_waiting_seconds_total'), '{{instance}} disk'),
    ],
  }),
  graph({
    title: 'Context switches, interrupts, new processes',
    about: 'A second.',
    unit: 'ops',
    queries: [
      query(rate('node_context_switches_total'), '{{instance}} switches'),
      query(rate('node_intr_total'), '{{instance}} interrupts'),
      query(rate('node_forks_total'), '{{instance}} new processes'),
    ],
  }),
  graph({
    title: 'Temperatures',
    about: 'Of the sensors that the kernel knows; virtual machines have none.',
    unit: 'celsius',
    queries: [query(`node_hwmon_temp_celsius${M}`, '{{instance}} {{chip}} {{sensor}}')],
  }),
  graph({
    title: 'Frequencies',
    about: 'As cpufreq gives them; virtual machines have none.',
    unit: 'hertz',
    queries: [query(`node_cpu_scaling_frequency_hertz${M}`, '{{instance}} CPU {{cpu}}')],
  }),
];

const memory = [
  row('Memory'),
  graph({
    title: 'Memory',
    about: 'Available is what programs can get without swapping.',
    unit: 'bytes',
    queries: [
      query(`node_memory_MemTotal_bytes${M}`, '{{instance}} total'),
      query(`node_memory_MemAvailable_bytes${M}`, '{{instance}} available'),
      query(`node_memory_Cached_bytes${M} + node_memory_Buffers_bytes${M}`, '{{instance}} cached'),
      query(`node_memory_Slab_bytes${M}`, '{{instance}} kernel objects'),
    ],
  }),
  graph({
    title: 'Swapping and major faults',
    about: 'Pages a second that were written to swap or read from it, and faults that waited for a disk.',
    unit: 'ops',
    queries: [
      query(rate('node_vmstat_pswpin'), '{{instance}} swapped in'),
      query(rate('node_vmstat_pswpout'), '{{instance}} swapped out'),
      query(rate('node_vmstat_pgmajfault'), '{{instance}} major faults'),
    ],
  }),
];

const disks = [
  row('Disks and file systems'),
  graph({
    title: 'Disk throughput',
    about: 'Bytes a second.',
    unit: 'Bps',
    queries: [
      query(rate('node_disk_read_bytes_total'), '{{instance}} {{device}} read'),
      query(rate('node_disk_written_bytes_total'), '{{instance}} {{device}} written'),
    ],
  }),
  graph({
    title: 'Disk busy',
    about:
      'The share of the time in which it had something to do. Disks that do much at once can be busy and not full.',
    ...share,
    queries: [query(rate('node_disk_io_time_seconds_total'), '{{instance}} {{device}}')],
  }),
  graph({
    title: 'Disk latency',
    about: 'The mean time of a request, waiting included.',
    unit: 's',
    queries: [
      query(
        `${rate('node_disk_read_time_seconds_total')} / ${rate('node_disk_reads_completed_total')}`,
        '{{instance}} {{device}} read',
      ),
      query(
        `${rate('node_disk_write_time_seconds_total')} / ${rate('node_disk_writes_completed_total')}`,
        '{{instance}} {{device}} written',
      ),
    ],
  }),
  graph({
    title: 'File systems used',
    about: 'The share of the bytes that users other than root cannot have any more.',
    ...share,
    queries: [
      query(
        `1 - node_filesystem_avail_bytes{${CHOSEN}${LOCAL}} / node_filesystem_size_bytes{${CHOSEN}${LOCAL}}`,
        '{{instance}} {{mountpoint}}',
      ),
    ],
  }),
];

const network = [
  row('Network'),
  graph({
    title: 'Network traffic',
    about: 'Bits a second, without the loopback.',
    unit: 'bps',
    queries: [
      query(`${rate('node_network_receive_bytes_total', ', device!="lo"')} * 8`, '{{instance}} {{device}} received'),
      query(`${rate('node_network_transmit_bytes_total', ', device!="lo"')} * 8`, '{{instance}} {{device}} sent'),
    ],
  }),
  graph({
    title: 'Errors and drops',
    about: 'Packets a second.',
    unit: 'pps',
    queries: [
      query(
        `${rate('node_network_receive_errs_total')} + ${rate('node_network_receive_drop_total')}`,
        '{{instance}} {{device}} received',
      ),
      query(
        `${rate('node_network_transmit_errs_total')} + ${rate('node_network_transmit_drop_total')}`,
        '{{instance}} {{device}} sent',
      ),
    ],
  }),
  graph({
    title: 'TCP: segments sent again',
    about: 'As a share of the segments sent.',
    ...share,
    queries: [query(`${rate('node_netstat_Tcp_RetransSegs')} / ${rate('node_netstat_Tcp_OutSegs')}`, MACHINE)],
  }),
  graph({
    title: 'Sockets and open files',
    about: 'In use.',
    unit: 'none',
    queries: [
      query(`node_sockstat_sockets_used${M}`, '{{instance}} sockets'),
      query(`node_sockstat_TCP_inuse${M}`, '{{instance}} TCP'),
      query(`node_filefd_allocated${M}`, '{{instance}} open files'),
    ],
  }),
];

const exporter = [
  row('The exporter'),
  graph({
    title: 'Slowest collectors',
    about: 'Seconds that a collector took at the last scrape.',
    unit: 's',
    queries: [query(`topk(5, node_scrape_collector_duration_seconds${M})`, '{{instance}} {{collector}}')],
  }),
  list({
    title: 'Collectors that give nothing',
    about: 'They failed, or the machine has nothing of the kind: the log says which.',
    expr: `node_scrape_collector_success${M} == 0`,
    columns: { instance: 'Machine', collector: 'Collector' },
  }),
  graph({
    title: 'CPU time of the exporter',
    about: 'In CPUs.',
    unit: 'none',
    queries: [query(rate('process_cpu_seconds_total'), MACHINE)],
  }),
  graph({
    title: 'Memory of the exporter',
    about: 'Resident, pages of the executable included.',
    unit: 'bytes',
    queries: [query(`process_resident_memory_bytes${M}`, MACHINE)],
  }),
];

export const nodeDashboard = dashboard({
  uid: 'keyhole-node',
  title: 'Keyhole / Machine',
  about: 'A machine at a glance: CPU, memory, disks, network, and the exporter itself.',
  metric: 'node_boot_time_seconds',
  panels: [...overview, ...cpu, ...memory, ...disks, ...network, ...exporter],
});
