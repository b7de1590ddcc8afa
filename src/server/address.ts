import { UsageError } from '../core/errors.ts';

export interface ListenAddress {
  /** Empty for every address of the machine, IPv6 and IPv4. */
  readonly host: string;
  readonly port: number;
}

const PORT_MAX = 65535;

/** Parses `host:port`, `:port` and `[IPv6]:port`; an IPv4 address in brackets is taken too, as Go does. */
export function parseAddress(text: string): ListenAddress {
  if (text.startsWith('vsock://'))
    throw new UsageError(`listen on ${text}: sockets between virtual machines (vsock) are not supported`);
  const [, bracketed, plain, portText] = /^(?:\[([^\][]*)\]|([^:\][]*)):([^:\][]*)$/.exec(text) ?? [];
  if (portText === undefined) {
    const why = text.includes(':') ? 'too many colons or stray brackets in address' : 'missing port in address';
    throw new UsageError(`listen on ${text}: ${why}`);
  }
  const port = portText === '' ? 0 : Number(portText);
  if (!/^[0-9]*$/.test(portText) || port > PORT_MAX) throw new UsageError(`listen on ${text}: invalid port`);
  return { host: bracketed ?? plain ?? '', port };
}
