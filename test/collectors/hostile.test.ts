import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { collectors } from '../../src/collectors/index.ts';
import { UsageError } from '../../src/core/errors.ts';
import { hostileDisk, MUTATIONS } from '../helpers/hostile.ts';
import { type Scraped, scrape } from '../helpers/scrape.ts';

const RUNS = 6;
const LINE =
  /^(# (HELP|TYPE) [a-zA-Z_:][a-zA-Z0-9_:]* .*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_]\w*="([^"\\\n]|\\.)*"(,[a-zA-Z_]\w*="([^"\\\n]|\\.)*")*\})? ([+-]?(Inf|[0-9.]+(e[+-][0-9]+)?)|NaN))$/;

/** What must hold whatever the kernel's files say. */
function assertSound({ text, success, error }: Scraped): void {
  assert.equal(success, error === undefined);
  if (!success) assert.ok(error instanceof Error, `threw ${String(error)}`);
  // Bugs of ours look like these; a bad file is a ParseError or an errno.
  assert.ok(!(error instanceof TypeError || error instanceof RangeError), String((error as Error | undefined)?.stack));
  for (const line of text.split('\n').slice(0, -1)) assert.match(line, LINE);
}

for (const collector of collectors) {
  for (const mutation of MUTATIONS) {
    test(`${collector.name} lives through files that are ${mutation}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), async (seed) => {
          try {
            assertSound(await scrape(collector, { disk: hostileDisk(() => ({ mutation, seed })) }));
          } catch (error) {
            // A collector may refuse to be set up, in words for the user.
            if (!(error instanceof UsageError)) throw error;
          }
        }),
        { numRuns: RUNS, interruptAfterTimeLimit: 20_000 },
      );
    });
  }
}
