import { posix } from 'node:path';
import { messageOf } from '../core/errors.ts';
import type { Collect } from '../core/host.ts';
import type { Logger } from '../core/log.ts';
import { counter, gauge } from '../core/metric.ts';
import type { Registry } from '../core/registry.ts';
import type { Writer } from '../core/writer.ts';
import {
  type Answer,
  type Ask,
  andThen,
  type Handler,
  type Maybe,
  orElse,
  type Respond,
  refusal,
  textAnswer,
} from './answer.ts';
import { type Filter, parseFilter, parseQuery } from './filter.ts';
import { escapingOf, prefersGzip } from './negotiate.ts';
import { createPages, type Page } from './pages.ts';
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
  /** What the process holds now, for the status page. */
  readonly privilege?: () => PrivilegeFacts;
  /** Gives up a scrape whose client does not take it, for another; `false` where there is none. */
  readonly makeRoom?: () => boolean;
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

export const metrics = {
  build: gauge(
    'node_exporter_build_info',
    'Always 1; the labels name the version, and what it runs on.',
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

/** Counts the scrapes: those under way, and those answered. */
function createCounts({ requestsMax, makeRoom = () => false }: HandlerOptions) {
  const answered = new Map([200, 500, 503].map((code) => [code, 0]));
  let inFlight = 0;
  return {
    write(out: Writer): void {
      for (const [code, count] of answered) out.sample(metrics.requests, count, String(code));
      out.sample(metrics.inFlight, inFlight);
    },
    /** Makes an answer, where there are not too many under way. */
    counted(make: () => Maybe<Answer>): Maybe<Answer> {
      inFlight += 1;
      const withEnd = (answer: Answer): Answer => ({
        ...answer,
        ended() {
          inFlight -= 1;
          answered.set(answer.status, (answered.get(answer.status) ?? 0) + 1);
        },
      });
      if (requestsMax <= 0 || inFlight <= requestsMax || makeRoom()) return andThen(make(), withEnd);
      return withEnd(refusal(503, `Limit of concurrent requests reached (${requestsMax}), try again later.`));
    },
  };
}

type Body = Pick<Answer, 'body' | 'lasting'>;

/**
 * A page's bytes: as they stand where they are there at once, since the next page may be made in their place; else one copy for
 * all who wait for the page.
 */
function createBodies(): (page: Maybe<Page>, zipped: boolean) => Maybe<Body> {
  const copies = { plain: new WeakMap<Page, Body>(), zipped: new WeakMap<Page, Body>() };
  const bytesOf = (page: Page, zipped: boolean): Maybe<Buffer> => (zipped ? page.gzipped() : page.plain);
  const copyOf = (page: Page, zipped: boolean): Maybe<Body> =>
    andThen(bytesOf(page, zipped), (bytes) => {
      const made = copies[zipped ? 'zipped' : 'plain'];
      const copy = made.get(page) ?? { body: Buffer.from(bytes), lasting: true };
      made.set(page, copy);
      return copy;
    });
  return (page, zipped) => {
    if (page instanceof Promise) return page.then((made) => copyOf(made, zipped));
    const bytes = bytesOf(page, zipped);
    return bytes instanceof Promise ? copyOf(page, zipped) : { body: bytes, lasting: false };
  };
}

/** Answers scrapes, with their limit and their counters. */
function createMetricsHandler(options: HandlerOptions): (query: string, ask: Ask) => Respond {
  const { registry, log, build, own, onScraped, disabled } = options;
  const counts = createCounts(options);
  let gatheringErrors = 0;
  let droppedSeries = 0;

  const buildLabels = metrics.build.labels.map((label) => build[label]);
  const buildPart: Collect = (out) => out.row(metrics.build, 1, buildLabels);
  const countsPart: Collect = (out) => {
    counts.write(out);
    out.sample(metrics.errors, 0, 'encoding');
    out.sample(metrics.errors, gatheringErrors, 'gathering');
    out.sample(metrics.dropped, droppedSeries);
  };
  const ready = { name: 'exporter', parts: own === undefined ? [buildPart] : [buildPart, countsPart, ...own] };
  const onDropped = (count: number): void => {
    gatheringErrors += 1;
    droppedSeries += count;
  };
  const pages: (filter: Filter) => Maybe<Page> = createPages({
    ...{ registry, log, onDropped },
    own: ready,
    ...(onScraped === undefined ? {} : { onScraped }),
  });
  const bodyOf = createBodies();
  const failed = (error: unknown): Answer => {
    log.error('scrape failed', { err: messageOf(error) });
    return refusal(500, 'Internal Server Error');
  };

  return (query, { accept, acceptEncoding }) => {
    const filter = parseFilter(parseQuery(query), { enabled: registry.names, disabled });
    if (typeof filter === 'string') return () => textAnswer(400, filter);
    const zipped = prefersGzip(acceptEncoding);
    const type = `text/plain; version=0.0.4; charset=utf-8; escaping=${escapingOf(accept)}`;
    const headers = zipped ? { 'Content-Type': type, 'Content-Encoding': 'gzip' } : { 'Content-Type': type };
    const scraped = (): Maybe<Answer> =>
      andThen(bodyOf(pages(filter), zipped), (body) => ({ status: 200, headers, ...body }));
    return () => counts.counted(() => orElse(scraped, failed));
  };
}

/** What no header may hold, as bytes in the way of URLs. The query is as it was sent. */
const escaped = (query: string): string =>
  query.replaceAll(/[^\x21-\x7e]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);

function moved(path: string, query: string): Respond {
  const location = encodeURI(path).replaceAll('?', '%3F') + (query === '' ? '' : `?${escaped(query)}`);
  return () => textAnswer(301, `Moved to ${location}\n`, { Location: location });
}

/** Answers every request. */
export function createHandler(options: HandlerOptions): Handler {
  const { telemetryPath } = options;
  const serveMetrics = createMetricsHandler(options);
  const status = createStatus(options);
  const nowhere = refusal(404, `404 page not found\nThe metrics are at ${telemetryPath}, the status page is at /.`);

  return (ask) => {
    const target = parseTarget(ask.target);
    if (target === undefined) return () => refusal(400, 'Bad Request');
    const { path, query } = target;
    const clean = posix.normalize(path);
    if (clean !== path) return moved(clean, query);
    // A path that ends with a slash stands for all below it.
    if (path === telemetryPath || (telemetryPath.endsWith('/') && path.startsWith(telemetryPath)))
      return serveMetrics(query, ask);
    if (`${path}/` === telemetryPath) return moved(telemetryPath, query);
    return status(path) ?? (() => nowhere);
  };
}
