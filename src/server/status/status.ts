import { hostname } from 'node:os';
import type { Registry } from '../../core/registry.ts';
import type { Answer, Respond } from '../answer.ts';
import { type PrivilegeFacts, statusPage } from './page.ts';

export interface StatusOptions {
  readonly registry: Pick<Registry, 'states'>;
  readonly build: { readonly version: string; readonly revision: string };
  readonly telemetryPath: string;
  readonly disabled: readonly string[];
  readonly privilege?: () => PrivilegeFacts;
}

/** Nothing but the page's own files, and the metrics of this very exporter. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const headersOf = (type: string): Readonly<Record<string, string>> => ({
  'Content-Type': type,
  'Content-Security-Policy': POLICY,
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-cache',
});

const answer = (type: string, text: string): Answer => ({
  status: 200,
  headers: headersOf(type),
  body: Buffer.from(text),
  lasting: true,
});

/** What answers for the status page and its two files, by path; `undefined` for any other path. */
export function createStatus(options: StatusOptions): (path: string) => Respond | undefined {
  const { registry, build, telemetryPath, disabled, privilege } = options;
  const host = hostname();
  const { version, revision } = build;
  const page = (): string =>
    statusPage({
      host,
      version,
      revision,
      telemetryPath,
      states: registry.states(),
      disabled,
      privilege: privilege?.(),
    });
  return (path) => {
    switch (path) {
      case '/':
        return () => answer('text/html; charset=UTF-8', page());
      case '/status.css':
        return () => import('./assets.ts').then(({ style }) => answer('text/css', style));
      case '/status.js':
        return () => import('./assets.ts').then(({ script }) => answer('text/javascript', script));
      default:
        return undefined;
    }
  };
}
