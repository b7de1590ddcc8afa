import type { Registry } from '../../src/core/registry.ts';
import { Samples } from '../../src/core/samples.ts';
import { type Dropped, Page } from '../../src/page/page.ts';

export interface Rendered {
  readonly text: string;
  readonly dropped: Dropped;
}

/** A new page that shows these, the first of them first. */
export function render(parts: readonly Samples[], only?: ReadonlySet<string>): Rendered {
  const page = new Page(only);
  for (const [i, samples] of parts.entries()) page.take(i, samples);
  return { text: page.render().toString(), dropped: page.dropped };
}

/** Scrapes into a page that lives as long as the function. */
export function scraper(registry: Registry): (names?: readonly string[]) => Promise<string> {
  const page = new Page();
  const meta = new Samples();
  return async (names) => {
    await registry.scrape(page, meta, names);
    return page.render().toString();
  };
}
