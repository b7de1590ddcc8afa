import type { ServerOptions } from 'node:http';
import { createServer, type Server } from 'node:https';
import { isIPv6, type Socket } from 'node:net';
import type { SecureVersion, TLSSocket } from 'node:tls';
import { messageOf, UsageError } from '../core/errors.ts';
import type { Logger } from '../core/log.ts';
import { fingerprint, readRegularFile } from './regular_file.ts';
import type { Requests } from './requests.ts';
import { CIPHERS, type PemSource, type TlsConfig, type WebConfig } from './web_config.ts';

const HANDSHAKE_MS = 10_000;

const TLS13_CIPHERS = Object.values(CIPHERS).filter((name) => name.startsWith('TLS_'));

/** All the authorities that a system knows take 250 kB. */
const PEM_BYTES_MAX = 2 << 20;

/** The text of a key or of certificates. Throws a `UsageError` that names the file. */
export function pem(source: PemSource): string {
  if ('text' in source) return source.text;
  try {
    return readRegularFile(source.file, PEM_BYTES_MAX);
  } catch (error) {
    throw new UsageError(`${source.file}: ${messageOf(error)}`, { cause: error });
  }
}

const filesOf = ({ cert, key, clientCa }: TlsConfig): string[] =>
  [cert, key, clientCa].flatMap((source) => (source !== undefined && 'file' in source ? [source.file] : []));

/** As Node's TLS takes it. */
function secureOptions(config: TlsConfig) {
  const { cert, key, clientCa, clientAuth, minVersion, maxVersion, cipherSuites, preferServerCiphers, curves } = config;
  // Without a suite of TLS 1.3 in the list Node switches TLS 1.3 off; Go has them on whatever the list says.
  const ciphers = [...new Set([...TLS13_CIPHERS, ...cipherSuites])].join(':');
  return {
    cert: pem(cert),
    key: pem(key),
    ...(clientCa === undefined ? {} : { ca: pem(clientCa) }),
    requestCert: clientAuth !== 'NoClientCert',
    rejectUnauthorized: clientAuth === 'RequireAndVerifyClientCert',
    minVersion: minVersion as SecureVersion,
    maxVersion: maxVersion as SecureVersion,
    honorCipherOrder: preferServerCiphers,
    ...(cipherSuites.length === 0 ? {} : { ciphers }),
    ...(curves === '' ? {} : { ecdhCurve: curves }),
    handshakeTimeout: HANDSHAKE_MS,
  };
}

/** An IPv6 address as RFC 5952 writes it, whatever way it is written; other texts as they are. */
const canonical = (text: string): string => (isIPv6(text) ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text);

/** The names in a certificate, without their kinds: `DNS:a.example, IP Address:10.0.0.1` as Node writes them. */
export function parseAltNames(text: string | undefined): string[] {
  const names = text?.match(/(?:[^,"]|"(?:[^"\\]|\\.)*")+/g) ?? [];
  return names.map((name) => {
    const colon = name.indexOf(':');
    const value = name.slice(colon + 1).trim();
    if (name.slice(0, colon).trim() === 'IP Address') return canonical(value);
    return value.startsWith('"') ? (JSON.parse(value) as string) : value;
  });
}

/** Why a client is not let in, where the handshake itself has not decided that. */
export function refusal(socket: TLSSocket, { clientAuth, clientAllowedSans }: TlsConfig): string | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) return clientAuth.startsWith('Require') ? 'the client gave no certificate' : undefined;
  if (clientAuth === 'VerifyClientCertIfGiven' && !socket.authorized)
    return `the client's certificate: ${String(socket.authorizationError)}`;
  if (clientAllowedSans.length === 0) return undefined;
  const names = parseAltNames(certificate.subjectAltName);
  const allowed = clientAllowedSans.map(canonical);
  if (names.some((name) => allowed.includes(name))) return undefined;
  return "none of the names in the client's certificate is allowed";
}

/**
 * A function that takes accepted connections, does their handshakes, and hands over their requests. Configuration
 * and certificates are looked at for every connection; where they cannot be used, the connection is closed.
 */
export function createTlsCarrier(
  read: () => WebConfig,
  http: ServerOptions,
  { onRequest, watch }: Requests,
  log: Logger,
): (socket: Socket) => void {
  let server: Server | undefined;
  let seen = '';
  const build = (config: TlsConfig): Server =>
    createServer({ ...http, ...secureOptions(config) }, onRequest)
      .prependListener('secureConnection', (socket: TLSSocket) => {
        const why = refusal(socket, config);
        if (why === undefined) return;
        log.debug('TLS connection refused', { remote: socket.remoteAddress, err: why });
        socket.destroy();
      })
      .on('secureConnection', watch)
      .on('tlsClientError', (error, socket) => {
        log.debug('TLS handshake failed', { remote: socket.remoteAddress, err: messageOf(error) });
        socket.destroy();
      });
  const current = (): Server => {
    const { tls } = read();
    if (tls === undefined) throw new UsageError('TLS cannot be switched off while running');
    try {
      const now = JSON.stringify([tls, filesOf(tls).map(fingerprint)]);
      if (server === undefined || now !== seen) server = build(tls);
      seen = now;
      return server;
    } catch (error) {
      throw new UsageError(`tls_server_config: ${messageOf(error)}`, { cause: error });
    }
  };
  // What is wrong at start ends the program.
  current();
  return (socket) => {
    try {
      current().emit('connection', socket);
    } catch (error) {
      log.error('TLS configuration cannot be used', { err: messageOf(error) });
      socket.destroy();
    }
  };
}
