import os from 'node:os';
import process from 'node:process';
import { NOTHING, optional } from '../core/errors.ts';
import type { System } from '../core/system.ts';
import { pageSizeBytes } from '../parse/auxv.ts';
import { askMountPoint } from './btrfs.ts';
import { openEthtool } from './ethtool.ts';
import { askFileSystemNow } from './statfs.ts';
import { createStatfsAsker } from './statfs_asker.ts';
import { createTimexReader } from './timex.ts';

/** The machine that this process runs on. */
export function openSystem(): System {
  return {
    pageSizeBytes: optional(pageSizeBytes, NOTHING),
    timeZone: process.env['TZ'],
    uname: () => ({
      sysname: os.type(),
      release: os.release(),
      version: os.version(),
      machine: os.machine(),
      nodename: os.hostname(),
    }),
    interfaceAddresses: () =>
      Object.entries(os.networkInterfaces()).flatMap(([device, addresses = []]) =>
        addresses.map(({ address, cidr }) => ({
          device,
          address,
          prefixLength: cidr?.slice(cidr.lastIndexOf('/') + 1) ?? '',
        })),
      ),
    adjtimex: createTimexReader(),
    // The epoch of the performance clock does not move when the machine's clock is set: only Date follows it, in milliseconds.
    now: () => Date.now(),
    statfs: askFileSystemNow,
    createStatfsAsker,
    ethtool: openEthtool(),
    btrfsDevices: askMountPoint,
  };
}
