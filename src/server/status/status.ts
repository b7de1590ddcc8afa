import { hostname } from 'node:os';
import type { Registry } from '../../core/registry.ts';
import { type PrivilegeFacts, statusPage } from './page.ts';

export interface StatusOptions {
  readonly registry: Pick<Registry, 'states'>;
  readonly build: { readonly version: string; readonly revision: string };
  readonly telemetryPath: string;
  readonly disabled: readonly string[];
  readonly privilege?: PrivilegeFacts;
}

export interface StatusAnswer {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
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

/** The status page and its two files, by path; `undefined` for any other path. */
export function createStatus(
  options: StatusOptions,
): (path: string) => StatusAnswer | Promise<StatusAnswer> | undefined {
  const { registry, build, telemetryPath, disabled, privilege } = options;
  const host = hostname();
  const { version, revision } = build;
  const page = (): string =>
    statusPage({ host, version, revision, telemetryPath, states: registry.states(), disabled, privilege });
  return (path) => {
    switch (path) {
      case '/':
        return { body: page(), headers: headersOf('text/html; charset=UTF-8') };
      case '/status.css':
        return import('./assets.ts').then(({ style }) => ({ body: style, headers: headersOf('text/css') }));
      case '/status.js':
        return import('./assets.ts').then(({ script }) => ({ body: script, headers: headersOf('text/javascript') }));
      default:
        return undefined;
    }
  };
}
