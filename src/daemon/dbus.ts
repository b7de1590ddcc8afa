import process from 'node:process';
import type { AskDaemon, Peer } from '../core/daemons.ts';
import { UsageError } from '../core/errors.ts';
import { type Connection, dial } from './dbus_connection.ts';
import { parseRows, parseVariant } from './dbus_message.ts';

/** Where D-Bus is spoken. */
export interface Address {
  /** Of a Unix socket; an abstract one starts with a zero. */
  readonly path: string;
  /** Whether the daemon itself listens there, and not a bus that passes messages on. */
  readonly direct: boolean;
}

const BUS = 'org.freedesktop.DBus';

/** The path that the specification and everybody's containers have. */
const SYSTEM_BUS = 'unix:path=/var/run/dbus/system_bus_socket';

/** The address as `DBUS_SYSTEM_BUS_ADDRESS` has it, if need be: the first that is a Unix socket. */
export function systemBus(text: string | undefined = process.env['DBUS_SYSTEM_BUS_ADDRESS']): Address {
  const addresses = text || SYSTEM_BUS;
  for (const each of addresses.split(';')) {
    const [, kind, value = ''] = /^unix:(?:[^;]*,)?(path|abstract)=([^,;]+)/.exec(each) ?? [];
    if (kind === undefined) continue;
    const path = value.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return { path: kind === 'path' ? path : `\0${path}`, direct: false };
  }
  throw new UsageError(`DBUS_SYSTEM_BUS_ADDRESS: ${JSON.stringify(addresses)} names no Unix socket`);
}

const peerOf = ({ call }: Connection, destination: string): Peer => ({
  rows: (path, iface, member, types) =>
    call({ destination, path, interface: iface, member, args: [] }, (reply) => parseRows(reply, types)),
  property: (path, iface, name) =>
    call({ destination, path, interface: `${BUS}.Properties`, member: 'Get', args: [iface, name] }, parseVariant),
});

/** What every bus is told first; the name that it gives does not matter. */
const HELLO = { destination: BUS, path: '/org/freedesktop/DBus', interface: BUS, member: 'Hello', args: [] };

/** Opens a connection on which calls are answered. */
async function open({ path, direct }: Address, signal: AbortSignal): Promise<Connection> {
  const connection = await dial(path, signal);
  if (direct) return connection;
  try {
    await connection.call(HELLO, () => undefined);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** The first of the addresses that answers; throws what the first of them threw where none does. */
async function openFirst([first, ...others]: readonly [Address, ...Address[]], signal: AbortSignal) {
  try {
    return await open(first, signal);
  } catch (error) {
    for (const address of others) {
      try {
        return await open(address, signal);
      } catch {
        signal.throwIfAborted();
      }
    }
    throw error;
  }
}

/** The daemon with this bus name, at the first of the addresses that answers. Nothing is opened before it is asked. */
export const dbusDaemon =
  (name: string, ...addresses: readonly [Address, ...Address[]]): AskDaemon =>
  async (signal, use) => {
    const connection = await openFirst(addresses, signal);
    try {
      return await use(peerOf(connection, name));
    } finally {
      connection.close();
    }
  };

/** Where systemd itself listens, for root alone. */
const SYSTEMD_PRIVATE: Address = { path: '/run/systemd/private', direct: true };

/** systemd, on its own socket or on the bus; and root asks on the one what nobody answers on the other. */
export function systemdDaemon(isPrivate: boolean): AskDaemon {
  const name = 'org.freedesktop.systemd1';
  if (isPrivate) return dbusDaemon(name, SYSTEMD_PRIVATE);
  return process.geteuid?.() === 0 ? dbusDaemon(name, systemBus(), SYSTEMD_PRIVATE) : dbusDaemon(name, systemBus());
}
