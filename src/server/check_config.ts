import { X509Certificate } from 'node:crypto';
import { silent } from '../core/log.ts';
import { parseAddress, requirePath } from './address.ts';
import { createTlsCarrier, pem } from './tls.ts';
import { openWebConfig } from './web_config.ts';

export interface WebConfigFacts {
  readonly tls: boolean;
  /** When the server's certificate ends; missing without TLS. */
  readonly certificateEnds?: Date;
  readonly users: number;
  readonly rateLimit: boolean;
}

/** Throws a `UsageError` where the server would not take these addresses, or this path of the metrics. */
export function checkListening(addresses: readonly string[], telemetryPath: string): void {
  for (const text of addresses) parseAddress(text);
  requirePath(telemetryPath);
}

/** Reads a web configuration and its certificates as the server does, without serving. Throws a `UsageError`. */
export async function checkWebConfig(path: string): Promise<WebConfigFacts> {
  const read = await openWebConfig(path);
  const { tls, users, rateLimit } = read();
  const facts = { tls: tls !== undefined, users: users.size, rateLimit: rateLimit !== undefined };
  if (tls === undefined) return facts;
  createTlsCarrier(read, {}, { watch() {}, onRequest() {} }, silent);
  return { ...facts, certificateEnds: new X509Certificate(pem(tls.cert)).validToDate };
}
