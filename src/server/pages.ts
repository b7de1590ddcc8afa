import { promisify } from 'node:util';
import { gzip, gzipSync } from 'node:zlib';
import { render } from '../core/exposition.ts';
import type { Logger } from '../core/log.ts';
import type { Registry } from '../core/registry.ts';
import type { Samples } from '../core/writer.ts';
import type { Filter } from './filter.ts';

/** One scrape's answer, rendered once and compressed at most once however many asked for it at the same time. */
export interface Page {
  readonly plain: Buffer;
  gzipped(): Buffer | Promise<Buffer>;
}

export interface PageSource {
  readonly registry: Registry;
  readonly log: Logger;
  /** What the exporter says about itself, beside the collectors. */
  own(): readonly Samples[];
  /** Told how many series were left out, where there were any. */
  onDropped(count: number): void;
}

/** Above this size compressing goes to another thread: it would hold the event loop for too long. */
const SYNC_BYTES_MAX = 1 << 20;
const GZIP = { level: 1 } as const;
const gzipAsync = promisify(gzip);

function createPage(text: string): Page {
  const plain = Buffer.from(text);
  let packed: Buffer | Promise<Buffer> | undefined;
  return {
    plain,
    gzipped() {
      packed ??= plain.length <= SYNC_BYTES_MAX ? gzipSync(plain, GZIP) : gzipAsync(plain, GZIP);
      return packed;
    },
  };
}

/** Scrapes; equal requests share a page that is being made. */
export function createPages({ registry, log, own, onDropped }: PageSource): (filter: Filter) => Promise<Page> {
  const underWay = new Map<string, Promise<Page>>();
  let droppedBefore = '';

  const make = async ({ collectors, families }: Filter): Promise<Page> => {
    const written = await registry.scrape(collectors);
    const { text, dropped, droppedCount } = render([...written, ...own()], families);
    const told = dropped.join('\n');
    if (told !== '' && told !== droppedBefore)
      log.error('error gathering metrics', { dropped_series: droppedCount, err: told });
    droppedBefore = told;
    if (droppedCount > 0) onDropped(droppedCount);
    return createPage(text);
  };

  return (filter) => {
    const key = JSON.stringify([filter.collectors ?? '*', filter.families === undefined ? '*' : [...filter.families]]);
    let page = underWay.get(key);
    if (page === undefined) {
      page = make(filter).finally(() => underWay.delete(key));
      underWay.set(key, page);
    }
    return page;
  };
}
