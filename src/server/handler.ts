import type { IncomingMessage, ServerResponse } from 'node:http';
import { posix } from 'node:path';
import type { Collect } from '../core/host.ts';
import type { Logger } from '../core/log.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Registry } from '../core/registry.ts';
import { parseFilter } from './filter.ts';
import { escapingOf, prefersGzip } from './negotiate.ts';
import { createPages } from './pages.ts';
import type { PrivilegeFacts } from './status/page.ts';
import { createStatus } from './status/status.ts';

export interface HandlerOptions {
  readonly registry: Registry;
  readonly log: Logger;
  /** The labels of `node_exporter_build_info`. */
  readonly build: BuildLabels;
  readonly telemetryPath: string;
  /** 0 or less for no limit. */
  readonly requestsMax: number;
  /** What the exporter says of itself besides what this file does; `undefined` where only the build is wanted. */
  readonly own?: readonly Collect[] | undefined;
  /** Called after each scrape with how many there were. */
  readonly onScraped?: (count: number) => void;
  /** What the process holds, for the status page. */
  readonly privilege?: PrivilegeFacts;
  /** Collectors that exist but do not run. */
  readonly disabled: readonly string[];
}

export interface BuildLabels {
  readonly branch: string;
  readonly goarch: string;
  readonly goos: string;
  readonly goversion: string;
  readonly revision: string;
  readonly tags: string;
  readonly version: string;
}

export type Handler = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

export const metrics = {
  build: gauge(
    'node_exporter_build_info',
    'Always 1; the labels tell the version, and what it runs on.',
    'branch',
    'goarch',
    'goos',
    'goversion',
    'revision',
    'tags',
    'version',
  ),
  requests: counter('promhttp_metric_handler_requests_total', 'Scrapes answered, by HTTP status.', 'code'),
  inFlight: gauge('promhttp_metric_handler_requests_in_flight', 'Scrapes under way.'),
  errors: counter('promhttp_metric_handler_errors_total', 'Scrapes that something was wrong with.', 'cause'),
  dropped: counter('keyhole_dropped_series_total', 'Series left out of answers because they were there already.'),
} as const;

const TEXT = 'text/plain; charset=utf-8';

export function answer(
  response: ServerResponse,
  status: number,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent) return;
  response.writeHead(status, { 'Content-Type': TEXT, 'Content-Length': Buffer.byteLength(body), ...headers });
  response.end(body);
}

/** As Go's `http.Error`: a line of text that no browser shall take for anything else. */
export const refuse = (
  response: ServerResponse,
  status: number,
  line: string,
  headers: Readonly<Record<string, string>> = {},
): void => answer(response, status, `${line}\n`, { 'X-Content-Type-Options': 'nosniff', ...headers });

/** What the web configuration has set already stays as it is. */
const withoutSet = (response: ServerResponse, headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !response.hasHeader(name)));

/** Path and query of a request's target; `undefined` where it cannot be read. */
export function parseTarget(target: string): { path: string; query: string } | undefined {
  const [, origin = ''] = /^(https?:\/\/[^/?]*)/i.exec(target) ?? [];
  const local = target.slice(origin.length);
  const mark = local.indexOf('?');
  try {
    const path = decodeURIComponent(mark < 0 ? local : local.slice(0, mark)) || '/';
    return path.startsWith('/') ? { path, query: mark < 0 ? '' : local.slice(mark + 1) } : undefined;
  } catch {
    return undefined;
  }
}

/** Answers `GET /metrics`, with its limit and its counters. */
function createMetricsHandler(options: HandlerOptions): (query: string, ...io: Parameters<Handler>) => Promise<void> {
  const { registry, log, build, requestsMax, own, onScraped, disabled } = options;
  const answered = new Map([200, 500, 503].map((code) => [code, 0]));
  let inFlight = 0;
  let gatheringErrors = 0;
  let droppedSeries = 0;

  const buildLabels = metrics.build.labels.map((label) => build[label]);
  const buildPart: Collect = (out) => out.row(metrics.build, 1, buildLabels);
  const requestsPart: Collect = (out) => {
    for (const [code, count] of answered) out.sample(metrics.requests, count, String(code));
    out.sample(metrics.inFlight, inFlight);
    out.sample(metrics.errors, 0, 'encoding');
    out.sample(metrics.errors, gatheringErrors, 'gathering');
    out.sample(metrics.dropped, droppedSeries);
  };
  const ready = { name: 'exporter', parts: own === undefined ? [buildPart] : [buildPart, requestsPart, ...own] };
  const onDropped = (count: number): void => {
    gatheringErrors += 1;
    droppedSeries += count;
  };
  const pages = createPages({
    registry,
    log,
    own: ready,
    onDropped,
    ...(onScraped === undefined ? {} : { onScraped }),
  });

  return async (query, request, response) => {
    const filter = parseFilter(new URLSearchParams(query), { enabled: registry.names, disabled });
    if (typeof filter === 'string') return answer(response, 400, filter);
    inFlight += 1;
    response.once('close', () => {
      inFlight -= 1;
      answered.set(response.statusCode, (answered.get(response.statusCode) ?? 0) + 1);
    });
    if (requestsMax > 0 && inFlight > requestsMax)
      return refuse(response, 503, `Limit of concurrent requests reached (${requestsMax}), try again later.`);
    const made = pages(filter);
    const page = made instanceof Promise ? await made : made;
    const zipped = prefersGzip(request.headers['accept-encoding']);
    const type = `text/plain; version=0.0.4; charset=utf-8; escaping=${escapingOf(request.headers.accept)}`;
    // What is not sent at once is held by the response, while the page goes on to live.
    if (zipped)
      answer(response, 200, Buffer.from(await page.gzipped()), { 'Content-Type': type, 'Content-Encoding': 'gzip' });
    else answer(response, 200, Buffer.from(page.plain()), { 'Content-Type': type });
  };
}

/** Answers every request. */
export function createHandler(options: HandlerOptions): Handler {
  const { telemetryPath } = options;
  const serveMetrics = createMetricsHandler(options);
  const status = createStatus(options);
  const nowhere = `404 page not found\nThe metrics are at ${telemetryPath}, the status page is at /.`;

  return async (request, response) => {
    const target = parseTarget(request.url ?? '/');
    if (target === undefined) return refuse(response, 400, 'Bad Request');
    const { path, query } = target;
    const clean = posix.normalize(path);
    if (clean !== path) {
      const location = encodeURI(clean).replaceAll('?', '%3F') + (query === '' ? '' : `?${query}`);
      return answer(response, 301, `Moved to ${location}\n`, { Location: location });
    }
    if (path === telemetryPath || telemetryPath === '/') return serveMetrics(query, request, response);
    const page = await status(path);
    if (page === undefined) return refuse(response, 404, nowhere);
    return answer(response, 200, page.body, withoutSet(response, page.headers));
  };
}
