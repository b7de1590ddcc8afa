/** What the program reads for itself, whatever collectors run, and why; as a collector's `reads`. test/e2e/own_reads.test.ts holds it. */
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
  ['/proc/<pid>/{cmdline,cgroup}', '`keyhole doctor`: which exporter runs here, and in which unit'],
];
