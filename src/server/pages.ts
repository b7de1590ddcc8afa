import type { Logger } from '../core/log.ts';
import type { Registry } from '../core/registry.ts';
import { createRunner, type Ready, type Runner } from '../core/runner.ts';
import { Samples } from '../core/samples.ts';
import { createDeadline, createPace } from '../core/turn.ts';
import { createPackers, type Packer } from '../page/gzip.ts';
import { Page as TextPage } from '../page/page.ts';
import type { Filter } from './filter.ts';

/** One scrape's answer. Both hold until the next scrape with the same filter begins: what is kept longer must be copied. */
export interface Page {
  readonly plain: Buffer;
  /** Compressed at most once, however many ask for it. A promise only where a large page lets others run in between. */
  gzipped(): Buffer | Promise<Buffer>;
}

export interface PageSource {
  readonly registry: Registry;
  readonly log: Logger;
  /** What the exporter says about itself. It comes first: nobody can claim these series. */
  readonly own: Ready;
  /** Called with the number of series that were left out, where there were any. */
  onDropped(count: number): void;
  /** Called after each scrape with how many there were. */
  onScraped?(count: number): void;
}

/** How many pages are kept: a Prometheus asks with the same filter at every scrape. */
const PAGES_MAX = 8;

const OWN_TIMEOUT_MS = 1000;

interface Kept {
  readonly page: TextPage;
  readonly packer: Packer;
  /** About the collectors' runs in scrapes for this page. */
  readonly meta: Samples;
  /** The scrape under way, and after it the compression that still reads the page. */
  busy: Promise<Page> | undefined;
  packing: Promise<unknown> | undefined;
}

export type Pages = (filter: Filter) => Page | Promise<Page>;

/** Scrapes; equal requests share an answer that is being made. Nothing is awaited that does not have to be. */
export function createPages({ registry, log, own, onDropped, onScraped }: PageSource): Pages {
  const kept = new Map<string, Kept>();
  const packers = createPackers();
  const pace = createPace(() => performance.now());
  const ownRunner = createRunner(own, { log, pace, clock: () => performance.now(), timeoutMs: OWN_TIMEOUT_MS });
  const ownPart = 0;
  let droppedBefore = '';
  let scrapes = 0;

  /** The registry's parts stand behind our own. */
  const takerOf = (page: TextPage) => ({
    take: (part: number, samples: Samples) => page.take(part + 1, samples),
    clear: (part: number) => page.clear(part + 1),
  });

  const keptFor = (key: string, families: ReadonlySet<string> | undefined): Kept => {
    const found = kept.get(key) ?? {
      page: new TextPage(families),
      packer: packers(),
      meta: new Samples(),
      busy: undefined,
      packing: undefined,
    };
    kept.delete(key);
    kept.set(key, found);
    for (const [oldest, { busy, packing }] of kept) {
      if (kept.size <= PAGES_MAX) break;
      if (oldest !== ALL && busy === undefined && packing === undefined) kept.delete(oldest);
    }
    return found;
  };

  const reportDropped = ({ dropped: { described, count } }: TextPage): void => {
    const text = described.join('\n');
    if (text !== '' && text !== droppedBefore)
      log.error('error gathering metrics', { dropped_series: count, err: text });
    droppedBefore = text;
    if (count > 0) onDropped(count);
  };

  const finish = (entry: Kept): Page | Promise<Page> => {
    const work = runOwn(ownRunner);
    return work === undefined ? show(entry) : work.then(() => show(entry));
  };

  const show = (entry: Kept): Page => {
    if (ownRunner.isLate) entry.page.clear(ownPart);
    else entry.page.take(ownPart, ownRunner.samples);
    const text = entry.page.render();
    reportDropped(entry.page);
    scrapes += 1;
    onScraped?.(scrapes);
    return pageOf(entry, text, pace);
  };

  const make = (entry: Kept, { collectors }: Filter): Page | Promise<Page> => {
    const work = registry.scrape(takerOf(entry.page), entry.meta, collectors);
    return work === undefined ? finish(entry) : work.then(() => finish(entry));
  };

  return (filter) => {
    const key = keyOf(filter);
    const entry = keptFor(key, filter.families);
    if (entry.busy !== undefined) return entry.busy;
    const answer = entry.packing === undefined ? make(entry, filter) : entry.packing.then(() => make(entry, filter));
    if (!(answer instanceof Promise)) return answer;
    entry.busy = answer.finally(() => {
      entry.busy = undefined;
    });
    return entry.busy;
  };
}

const ALL = '';

const keyOf = ({ collectors, families }: Filter): string =>
  collectors === undefined && families === undefined
    ? ALL
    : JSON.stringify([collectors ?? '*', families === undefined ? '*' : [...families]]);

/** What the exporter says of itself waits for nothing but a `/proc` that hangs. */
function runOwn(runner: Runner): void | Promise<void> {
  const deadline = createDeadline(OWN_TIMEOUT_MS);
  return runner.run(deadline)?.finally(deadline.clear);
}

function pageOf(entry: Kept, text: Buffer, pace: ReturnType<typeof createPace>): Page {
  let packed: Buffer | Promise<Buffer> | undefined;
  return {
    plain: text,
    gzipped() {
      if (packed !== undefined) return packed;
      pace.begin();
      const { segments, numbers } = entry.page;
      packed = entry.packer.pack({ text, segments, numbers }, pace);
      if (packed instanceof Promise)
        entry.packing = packed.finally(() => {
          entry.packing = undefined;
        });
      return packed;
    },
  };
}
