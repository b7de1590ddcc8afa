import { isUtf8 } from 'node:buffer';
import { dirname, resolve } from 'node:path';
import { hasErrno, messageOf, UsageError } from '../core/errors.ts';
import { parseDuration } from '../core/flag.ts';
import { fingerprint, readRegularBytes } from './regular_file.ts';
import { createYamlReader, type Section, sectionOf } from './section.ts';

export const CLIENT_AUTH_TYPES = [
  'NoClientCert',
  'RequestClientCert',
  'RequireAnyClientCert',
  'VerifyClientCertIfGiven',
  'RequireAndVerifyClientCert',
] as const;
export type ClientAuthType = (typeof CLIENT_AUTH_TYPES)[number];

/** A PEM text: in a file, or written into the configuration. */
export type PemSource = { readonly file: string } | { readonly text: string };

export interface TlsConfig {
  readonly cert: PemSource;
  readonly key: PemSource;
  readonly clientCa: PemSource | undefined;
  readonly clientAuth: ClientAuthType;
  readonly clientAllowedSans: readonly string[];
  /** As Node names them: `TLSv1.2`. */
  readonly minVersion: string;
  readonly maxVersion: string;
  /** As Go names them. */
  readonly cipherSuites: readonly string[];
  readonly preferServerCiphers: boolean;
  /** As OpenSSL names them, joined by colons; empty for its own choice. */
  readonly curves: string;
}

export interface WebConfig {
  /** Missing for plain HTTP. */
  readonly tls: TlsConfig | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly rateLimit: { readonly intervalMs: number; readonly burst: number } | undefined;
  /** bcrypt hashes by user. */
  readonly users: ReadonlyMap<string, string>;
}

const VERSIONS: Readonly<Record<string, string>> = {
  TLS10: 'TLSv1',
  TLS11: 'TLSv1.1',
  TLS12: 'TLSv1.2',
  TLS13: 'TLSv1.3',
};
const CURVES: Readonly<Record<string, string>> = {
  CurveP256: 'P-256',
  CurveP384: 'P-384',
  CurveP521: 'P-521',
  X25519: 'X25519',
};
/** OpenSSL's names of the suites that Go counts as secure. Those of TLS 1.3 have one name and are always on. */
export const CIPHERS: Readonly<Record<string, string>> = {
  TLS_AES_128_GCM_SHA256: 'TLS_AES_128_GCM_SHA256',
  TLS_AES_256_GCM_SHA384: 'TLS_AES_256_GCM_SHA384',
  TLS_CHACHA20_POLY1305_SHA256: 'TLS_CHACHA20_POLY1305_SHA256',
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 'ECDHE-ECDSA-AES256-SHA',
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 'ECDHE-RSA-AES256-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 'ECDHE-ECDSA-AES128-SHA',
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 'ECDHE-RSA-AES128-SHA',
  TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384: 'ECDHE-ECDSA-AES256-GCM-SHA384',
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 'ECDHE-RSA-AES256-GCM-SHA384',
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 'ECDHE-RSA-AES128-GCM-SHA256',
  TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-RSA-CHACHA20-POLY1305',
  TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256: 'ECDHE-ECDSA-CHACHA20-POLY1305',
};

function oneOf(what: string, text: string, known: Readonly<Record<string, string>>): string {
  const found = Object.hasOwn(known, text) ? known[text] : undefined;
  if (found === undefined) throw new UsageError(`unknown ${what} ${JSON.stringify(text)}`);
  return found;
}

function clientAuthOf(text: string): ClientAuthType {
  if (text === '') return 'NoClientCert';
  if (text === 'RequireClientCert') return 'RequireAnyClientCert';
  const found = CLIENT_AUTH_TYPES.find((each) => each === text);
  if (found === undefined) throw new UsageError(`invalid ClientAuth: ${text}`);
  return found;
}

/** A file wins over a text written into the configuration. */
function pemOf(section: Section, key: string, folder: string): PemSource | undefined {
  const file = section.text(`${key}_file`);
  const text = section.text(key);
  if (file !== '') return { file: resolve(folder, file) };
  return text === '' ? undefined : { text };
}

function tlsOf(section: Section, folder: string): TlsConfig | undefined {
  const cert = pemOf(section, 'cert', folder);
  const key = pemOf(section, 'key', folder);
  const clientCa = pemOf(section, 'client_ca', folder);
  const authText = section.text('client_auth_type');
  const clientAuth = clientAuthOf(authText);
  const version = (name: string, fallback: string): string =>
    oneOf('TLS version', section.text(name) || fallback, VERSIONS);
  const rest = {
    clientAllowedSans: section.texts('client_allowed_sans'),
    minVersion: version('min_version', 'TLS12'),
    maxVersion: version('max_version', 'TLS13'),
    cipherSuites: section.texts('cipher_suites').map((name) => oneOf('cipher suite', name, CIPHERS)),
    preferServerCiphers: section.boolean('prefer_server_cipher_suites', true),
    curves: section
      .texts('curve_preferences')
      .map((name) => oneOf('curve', name, CURVES))
      .join(':'),
  };
  section.end();
  if (cert === undefined && key === undefined && clientCa === undefined && authText === '') return undefined;
  if (cert === undefined) throw new UsageError('tls_server_config: missing one of cert or cert_file');
  if (key === undefined) throw new UsageError('tls_server_config: missing one of key or key_file');
  if (clientCa !== undefined && clientAuth === 'NoClientCert')
    throw new UsageError('tls_server_config: a client_ca without a client_auth_type that asks for certificates');
  return { cert, key, clientCa, clientAuth, ...rest };
}

/** The headers that may be set, with their values where not every one makes sense. */
const HEADERS: Readonly<Record<string, readonly string[]>> = {
  'Strict-Transport-Security': [],
  'X-Content-Type-Options': ['nosniff'],
  'X-Frame-Options': ['deny', 'sameorigin'],
  'X-XSS-Protection': [],
  'Content-Security-Policy': [],
};

function headersOf(section: Section): Readonly<Record<string, string>> {
  const entries = section.entries('headers');
  // Accepted: only HTTP/1.1 is spoken.
  section.boolean('http2', true);
  section.end();
  for (const [name, value] of entries) {
    const values = Object.hasOwn(HEADERS, name) ? HEADERS[name] : undefined;
    if (values === undefined) throw new UsageError(`HTTP header ${JSON.stringify(name)} can not be configured`);
    if (values.length > 0 && !values.includes(value.toLowerCase()))
      throw new UsageError(`HTTP header ${name}: ${JSON.stringify(value)} is not one of ${values.join(', ')}`);
    if (/[^\t\x20-\x7e]/.test(value)) throw new UsageError(`HTTP header ${name}: a character that no header may hold`);
  }
  return Object.fromEntries(entries.filter(([, value]) => value !== ''));
}

function rateLimitOf(section: Section): WebConfig['rateLimit'] {
  const intervalMs = section.has('interval') ? parseDuration(section.text('interval')) : 0;
  const burst = section.integer('burst');
  section.end();
  return intervalMs > 0 ? { intervalMs, burst } : undefined;
}

const BCRYPT = /^\$2[aby]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}$/;
/** Each step doubles the time: one check of cost 16 takes seconds of CPU, one of cost 31 days. */
const BCRYPT_COST_MAX = 16;

function usersOf(section: Section): ReadonlyMap<string, string> {
  const users = new Map(section.entries('basic_auth_users'));
  for (const [user, hash] of users) {
    const [, cost] = BCRYPT.exec(hash) ?? [];
    if (cost === undefined) throw new UsageError(`basic_auth_users.${user} is not a bcrypt hash`);
    if (Number(cost) > BCRYPT_COST_MAX)
      throw new UsageError(
        `basic_auth_users.${user}: a bcrypt cost of ${cost}, which takes too long to check; ${BCRYPT_COST_MAX} at most`,
      );
  }
  return users;
}

/** Checks what the YAML file holds. `folder` is where the paths in it begin. Throws a `UsageError`. */
export function parseWebConfig(document: unknown, folder: string): WebConfig {
  const root = sectionOf(document, 'the file');
  const config = {
    tls: tlsOf(root.section('tls_server_config'), folder),
    headers: headersOf(root.section('http_server_config')),
    rateLimit: rateLimitOf(root.section('rate_limit')),
    users: usersOf(root),
  };
  root.end();
  return config;
}

/** Certificates of many authorities, written into the file, are far below. */
const CONFIG_BYTES_MAX = 128 << 10;

/**
 * Opens the file of `--web.config.file`. The function returned gives its content as it is now: it looks at the file each
 * time and reads it only when it has changed. It throws a `UsageError` for as long as the file cannot be used.
 */
export async function openWebConfig(path: string): Promise<() => WebConfig> {
  const readYaml = await createYamlReader();
  let seen = '';
  let read: { readonly config: WebConfig } | { readonly error: UsageError } | undefined;
  const load = (): WebConfig => {
    const bytes = readRegularBytes(path, CONFIG_BYTES_MAX);
    if (!isUtf8(bytes)) throw new UsageError('not UTF-8');
    return parseWebConfig(readYaml(bytes.toString('utf8')), dirname(path));
  };
  const tried = (): NonNullable<typeof read> => {
    try {
      return { config: load() };
    } catch (error) {
      return { error: new UsageError(`${path}: ${messageOf(error)}`, { cause: error }) };
    }
  };
  return () => {
    const now = fingerprintOrAbsent(path);
    if (read === undefined || now !== seen) {
      seen = now;
      read = tried();
    }
    if ('error' in read) throw read.error;
    return read.config;
  };
}

function fingerprintOrAbsent(path: string): string {
  try {
    return fingerprint(path);
  } catch (error) {
    if (hasErrno(error, ['ENOENT', 'ENOTDIR', 'EACCES', 'ELOOP'])) return '';
    throw error;
  }
}
