import type { Daemons } from '../core/daemons.ts';
import { dbusDaemon, systemBus, systemdDaemon } from './dbus.ts';
import { xmlRpcServer } from './xml_rpc.ts';

/** The programs of the machine that this process runs on. */
export const openDaemons = (): Daemons => ({
  onBus: (name) => dbusDaemon(name, systemBus()),
  systemd: systemdDaemon,
  askNtp: async (server, signal) => (await import('./ntp.ts')).askNtp(server, signal),
  xmlRpc: xmlRpcServer,
});
