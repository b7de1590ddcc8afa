import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AnyCollector } from '../../src/core/assemble.ts';
import { messageOf, ParseError } from '../../src/core/errors.ts';
import { prepared, type ScrapeOptions, tree } from './scrape.ts';

/** The samples of a text, without what is said of their families. */
export const samplesIn = (text: string): string[] => text.match(/^[^#].*$/gm) ?? [];

/** Contents of a file, what is written of it, and the lines that cost themselves alone: there are none where it is all right. */
export type OddCase = readonly [
  why: string,
  text: string,
  samples: readonly string[],
  odd?: string | readonly string[],
];

export interface OddOptions extends Omit<ScrapeOptions, 'root'> {
  /** Other files that are there. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Bad input beside good: a test for each content of the file at `path`, such as `proc/stat`. */
export function testFile(
  collector: AnyCollector,
  path: string,
  cases: readonly OddCase[],
  { files = {}, ...options }: OddOptions = {},
): void {
  for (const [why, text, samples, odd = []] of cases)
    test(`${collector.name} from ${path}: ${why}`, async (t) => {
      const root = tree(t, { ...files, [path]: text });
      const scraped = await prepared(collector, { ...options, root })();
      assert.deepEqual(samplesIn(scraped.text), samples);
      const lines = [odd].flat();
      assert.equal(scraped.faultsTotal, lines.length, messageOf(scraped.error));
      assert.equal(scraped.success, lines.length === 0, messageOf(scraped.error));
      if (lines.length > 0) {
        const expected = new ParseError(join(root, path), lines[0] as string);
        assert.deepEqual([(scraped.error as Error).name, messageOf(scraped.error)], [expected.name, expected.message]);
      }
    });
}
