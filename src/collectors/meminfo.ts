import { defineCollector } from '../core/collector.ts';
import type { Line } from '../core/host.ts';
import { type Family, gauge } from '../core/metric.ts';
import type { Reading } from '../core/reading.ts';
import { BYTES_OF_KIB } from '../core/units.ts';

/** A number that is out of bounds wraps as it does in 64 bits; one just below zero is just below them, too. */
const bytesOf = (kib: number): number => (kib === 2 ** 64 ? kib : (kib * BYTES_OF_KIB) % 2 ** 64);

/** The number of a line in bytes where the file gives kB, else as it is. */
function quantityOf(line: Line): Reading {
  const value = line.uint(1);
  const unit = line.find(2);
  if (line.length > 3 || (unit !== undefined && unit !== 'kB')) throw line.fault();
  return unit === undefined ? value : value.map(bytesOf);
}

const bytes = (name: string, help: string) => gauge(`node_memory_${name}_bytes`, help);
const huge = (name: string, help: string) => gauge(`node_memory_${name}`, help);

/** `/proc/meminfo`. https://docs.kernel.org/filesystems/proc.html#meminfo */
export default defineCollector({
  name: 'meminfo',
  help: 'Exposes how memory is used.',
  enabled: true,
  reads: ['/proc/meminfo'],
  flags: {},
  /** By the kernel's key. */
  metrics: {
    Active: bytes('Active', 'Memory used lately, which is reclaimed last.'),
    'Active(anon)': bytes('Active_anon', 'Anonymous memory used lately.'),
    'Active(file)': bytes('Active_file', 'Page cache used lately.'),
    AnonHugePages: bytes('AnonHugePages', 'Anonymous memory in transparent huge pages.'),
    AnonPages: bytes('AnonPages', 'Anonymous memory mapped by processes.'),
    Bounce: bytes('Bounce', 'Bounce buffers of block devices.'),
    Buffers: bytes('Buffers', 'Cache of raw blocks of disks.'),
    Cached: bytes('Cached', 'Page cache and shared memory, without the swap cache.'),
    CmaFree: bytes('CmaFree', 'Free memory of the contiguous memory allocator.'),
    CmaTotal: bytes('CmaTotal', 'What the contiguous memory allocator has reserved.'),
    CommitLimit: bytes('CommitLimit', 'What may be committed when overcommit is strict.'),
    Committed_AS: bytes('Committed_AS', 'Memory that processes have asked for, touched or not.'),
    DirectMap1G: bytes('DirectMap1G', 'Memory that the kernel maps with pages of 1 GiB.'),
    DirectMap2M: bytes('DirectMap2M', 'Memory that the kernel maps with pages of 2 MiB.'),
    DirectMap4k: bytes('DirectMap4k', 'Memory that the kernel maps with pages of 4 KiB.'),
    Dirty: bytes('Dirty', 'Memory that waits to be written to disk.'),
    HardwareCorrupted: bytes('HardwareCorrupted', 'Memory given up because the hardware reported errors in it.'),
    Hugepagesize: bytes('Hugepagesize', 'Size of a huge page by default.'),
    Inactive: bytes('Inactive', 'Memory not used lately, which is reclaimed first.'),
    'Inactive(anon)': bytes('Inactive_anon', 'Anonymous memory not used lately.'),
    'Inactive(file)': bytes('Inactive_file', 'Page cache not used lately.'),
    KernelStack: bytes('KernelStack', 'Kernel stacks of all tasks.'),
    Mapped: bytes('Mapped', 'Page cache mapped by processes.'),
    MemAvailable: bytes('MemAvailable', 'What a new program could have without swapping, as estimated by the kernel.'),
    MemFree: bytes('MemFree', 'Memory that nothing uses.'),
    MemTotal: bytes('MemTotal', 'Memory that the kernel can use.'),
    Mlocked: bytes('Mlocked', 'Memory locked by processes.'),
    NFS_Unstable: bytes('NFS_Unstable', 'NFS pages sent and not yet on stable storage; always 0 in newer kernels.'),
    PageTables: bytes('PageTables', 'Page tables of processes.'),
    Percpu: bytes('Percpu', 'Per-CPU allocations.'),
    SReclaimable: bytes('SReclaimable', 'Slab memory that can be reclaimed.'),
    SUnreclaim: bytes('SUnreclaim', 'Slab memory that cannot be reclaimed.'),
    Shmem: bytes('Shmem', 'Shared memory and tmpfs.'),
    ShmemHugePages: bytes('ShmemHugePages', 'Shared memory and tmpfs in huge pages.'),
    ShmemPmdMapped: bytes('ShmemPmdMapped', 'Shared memory that processes map with huge pages.'),
    Slab: bytes('Slab', "The kernel's slab caches."),
    SwapCached: bytes('SwapCached', 'Memory that is in swap and in memory at once.'),
    SwapFree: bytes('SwapFree', 'Swap that nothing uses.'),
    SwapTotal: bytes('SwapTotal', 'Swap that there is.'),
    Unevictable: bytes('Unevictable', 'Memory that cannot be evicted.'),
    VmallocChunk: bytes('VmallocChunk', 'Largest free block for vmalloc; always 0 in newer kernels.'),
    VmallocTotal: bytes('VmallocTotal', 'Addresses for vmalloc.'),
    VmallocUsed: bytes('VmallocUsed', 'What vmalloc has allocated.'),
    Writeback: bytes('Writeback', 'Memory being written to disk.'),
    WritebackTmp: bytes('WritebackTmp', 'Buffers of FUSE for writing back.'),
    Zswap: bytes('Zswap', 'Memory that compressed swap takes.'),
    Zswapped: bytes('Zswapped', 'Size before compression of what compressed swap holds.'),
    HugePages_Free: huge('HugePages_Free', 'Huge pages that are free.'),
    HugePages_Rsvd: huge('HugePages_Rsvd', 'Huge pages promised and not yet allocated.'),
    HugePages_Surp: huge('HugePages_Surp', 'Huge pages beyond the number configured.'),
    HugePages_Total: huge('HugePages_Total', 'Huge pages that there are.'),
  },
  setup({ proc }, metrics) {
    const families: ReadonlyMap<string, Family<readonly []>> = new Map(Object.entries(metrics));
    return proc.lineTable('meminfo', (line, out) => {
      const key = line.find(0);
      if (key === undefined) return;
      const [name = ''] = key.split(':');
      const family = families.get(name);
      if (family === undefined) {
        // Beside what every kernel has and nobody asked for; a number of eight digits touches its name.
        if (!/^[\w()]+:\d*$/.test(key) || line.length > 3) out.passedOver(key);
        return;
      }
      if (key.length !== name.length + 1) throw line.fault();
      out.sample(family, quantityOf(line));
    });
  },
});
