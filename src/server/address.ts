import { optional, UsageError } from '../core/errors.ts';
import { isAddress } from '../core/ip_address.ts';
import { fields, lines } from '../core/text.ts';
import { readRegularFile } from './regular_file.ts';

/** The path of `--web.telemetry-path`. */
export function requirePath(path: string): void {
  if (!path.startsWith('/'))
    throw new UsageError(`--web.telemetry-path: ${JSON.stringify(path)} does not begin with a slash`);
}

export interface ListenAddress {
  /** Empty for every address of the machine, IPv6 and IPv4. */
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65535;

const SERVICES_BYTES_MAX = 4 << 20;
const servicesText = (): string =>
  optional(() => readRegularFile('/etc/services', SERVICES_BYTES_MAX), ['ENOENT', 'ENOTDIR', 'EACCES']) ?? '';

/** The TCP port of a service's name or alias in a text such as `http-alt 8080/tcp webcache`. services(5) */
export function parseService(text: string, service: string): number | undefined {
  const wanted = service.toLowerCase();
  for (const line of lines(text)) {
    const [name, port = '', ...aliases] = fields(line.replace(/#.*/, ''));
    const [, number] = /^(\d+)\/tcp$/.exec(port) ?? [];
    if (number !== undefined && [name, ...aliases].some((each) => each?.toLowerCase() === wanted))
      return Number(number);
  }
  return undefined;
}

function portOf(text: string, readServices: () => string): number | undefined {
  if (text === '') return 0;
  const port = /^\+?\d+$/.test(text) ? Number(text) : parseService(readServices(), text);
  return port === undefined || port > PORT_MAX ? undefined : port;
}

/**
 * What the C library takes for an IPv4 address of another writing (`127.1`, `0x7f.0.0.1`, `2130706433`, `127.0.0.01`). Go takes it
 * for the name of a host, and nobody has such a name.
 */
const ODD_ADDRESS = /^(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}$/i;

/**
 * Parses `host:port`, `:port` and `[IPv6]:port`; an IPv4 address in brackets is taken too, and the name of a service in
 * `/etc/services` for a port, as Go does.
 */
export function parseAddress(text: string, readServices: () => string = servicesText): ListenAddress {
  if (text.startsWith('vsock://'))
    throw new UsageError(`listen on ${text}: sockets between virtual machines (vsock) are not supported`);
  const [, bracketed, plain, portText] = /^(?:\[([^\][]*)\]|([^:\][]*)):([^:\][]*)$/.exec(text) ?? [];
  if (portText === undefined) {
    const why = text.includes(':') ? 'too many colons or stray brackets in address' : 'missing port in address';
    throw new UsageError(`listen on ${text}: ${why}`);
  }
  const host = bracketed ?? plain ?? '';
  if (ODD_ADDRESS.test(host) && !isAddress(host)) throw new UsageError(`listen on ${text}: no such host`);
  const port = portOf(portText, readServices);
  if (port === undefined) {
    const why = /^[-+]?\d+$/.test(portText)
      ? 'invalid port'
      : 'no such port number, nor a TCP service in /etc/services';
    throw new UsageError(`listen on ${text}: ${why}`);
  }
  return { host, port };
}
