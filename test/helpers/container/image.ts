import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

export const ROOT = new URL('../../../', import.meta.url).pathname;

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

export const VERSION = version;
/** As `ctr images import` names it. */
export const IMAGE = `docker.io/library/keyhole:${version}`;

/** The archive that `npm run image` writes; it is built where it is not there. */
export function imageArchive(): string {
  const path = join(ROOT, `dist/keyhole-${version}.oci.tar`);
  if (!existsSync(path)) execFileSync(process.execPath, ['tools/image.ts'], { cwd: ROOT, stdio: 'pipe' });
  return path;
}

/** What the manifest of a cluster asked of the reference exporter, in which it counted nothing. */
export const ORIGIN_ARGS = [
  '--path.procfs=/host/proc',
  '--path.sysfs=/host/sys',
  '--collector.disable-defaults',
  '--collector.perf',
  '--collector.perf.hardware-profilers=CpuCycles,CpuInstr,CacheRef,CacheMisses,BranchInstr,BranchMisses,StalledCyclesBackend,StalledCyclesFrontend,RefCpuCycles',
  '--collector.perf.software-profilers=PageFault,ContextSwitch,CpuMigration,MinorFault,MajorFault',
  '--collector.perf.cache-profilers=InstrTLBReadHit',
] as const;

/** As the community chart gives them; `port` in place of 9100. */
export const chartArgs = (port: number, host = '0.0.0.0'): string[] => [
  '--path.procfs=/host/proc',
  '--path.sysfs=/host/sys',
  '--path.rootfs=/host/root',
  '--path.udev.data=/host/root/run/udev/data',
  `--web.listen-address=[${host}]:${port}`,
];

export const HOST_MOUNTS = { '/host/proc': '/proc', '/host/sys': '/sys' } as const;
export const CHART_MOUNTS = { ...HOST_MOUNTS, '/host/root': '/' } as const;
export const NOBODY = 65534;

/** What CRI-O leaves out of the capabilities that containerd gives. */
export const CRI_O_LACKS = ['MKNOD', 'NET_RAW', 'SETFCAP', 'SYS_CHROOT', 'AUDIT_WRITE'] as const;
/** The bounding set of a container with CRI-O's capabilities and PERFMON. */
export const CRI_O_BOUNDING = 0x00000040000005fbn;
export const PERFMON = 1n << 38n;
