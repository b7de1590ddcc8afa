/** What the program reads with any set of collectors, and why; written as a collector's `reads`. test/e2e/own_reads.test.ts holds it. */
export const ownReads: readonly (readonly [file: string, why: string])[] = [
  [
    '/proc/self/stat',
    'its CPU time, memory and start time, for `process_*`; at the start, whether the hand-over is its own',
  ],
  ['/proc/self/limits', 'how many files it may open'],
  ['/proc/self/fd', 'how many files it has open; at the start, which descriptors were handed over'],
  ['/proc/net/netstat', 'traffic of its network namespace, for `process_network_*`'],
  ['/proc/stat', 'when the machine started'],
  [
    '/proc/{thread-self,self/task/<thread>}/status',
    'which capabilities each thread holds, and whether no_new_privs and a filter are set',
  ],
  ['/proc/self/task', 'its threads'],
  ['/proc/self/uid_map', 'whether it is in a user namespace'],
  [
    '/proc/self/mountinfo',
    'which file systems may hang; before it becomes another user, which files that user cannot read',
  ],
  ['/proc/self/auxv', 'the size of a page, and ticks of the clock'],
  [
    '/proc/self/{maps,smaps,exe}',
    'which pages of the executable it can give back, and which libraries the sandbox must leave readable',
  ],
  ['/proc/self/cgroup', 'the limits of memory and threads that it is under'],
  ['/sys/fs/cgroup/**', 'the same limits'],
  ['/proc/sys/net/ipv4/ip_unprivileged_port_start', 'which ports need a privilege'],
  ['/etc/passwd', 'the user that `--privilege.user` names'],
  ['/etc/services', 'the port that `--web.listen-address` names'],
  ['/etc/{hosts,resolv.conf,nsswitch.conf}', 'names to connect to or to listen on'],
  [
    '/etc/{localtime,ld.so.cache,ssl/openssl.cnf,ssl/certs/ca-certificates.crt}',
    'the C library, the loader and OpenSSL, at the start',
  ],
  ['/{proc/meminfo,proc/version_signature,sys/devices/system/cpu/online}', 'the runtime, at the start'],
  ['syscall:perf_event_open', 'the counters of `--collector.perf`, at the start; `keyhole doctor` tries two of them'],
  [
    '/proc/{version,sys/kernel/osrelease,sys/kernel/perf_event_paranoid}',
    'why counters are denied: the perf collector, and `keyhole doctor`',
  ],
  [
    '/{sys/kernel/security/lsm,proc/self/attr/current,proc/cpuinfo,sys/hypervisor/type}',
    '`keyhole doctor`: security modules, and whether this is a virtual machine',
  ],
  [
    '/{.dockerenv,run/.containerenv}',
    '`keyhole doctor`: whether it is in a container (it only checks that they exist)',
  ],
  ['/proc/<pid>/{cmdline,cgroup}', '`keyhole doctor`: which exporter runs here, and in which unit'],
];
