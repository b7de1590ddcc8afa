// The event texts of the unit tests, asked again of the perf(1) that Debian ships.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { FAMILIES, type FamilyName, familyFiles } from '../helpers/cpu_families.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { EVENT_TEXTS } from '../helpers/event_texts.ts';
import { type Attr, askPerf } from '../helpers/perf_tool.ts';
import { FIXTURES, tree } from '../helpers/scrape.ts';

const skip = loudly(lacksPackages('linux-perf'));
const recorded = JSON.parse(readFileSync(`${FIXTURES}perf_attrs.json`, 'utf8')) as Record<
  FamilyName,
  Record<string, readonly Attr[]>
>;

/** From 6.13 on guests are left out only where that is asked for; what was recorded is of 6.1. */
const withoutGuests = (attrs: readonly Attr[]): Attr[] =>
  attrs.map((attr) => ({ ...attr, excludes: attr.excludes.filter((name) => name !== 'exclude_guest') }));

describe('perf stat -vv', { skip }, () => {
  for (const [name, texts] of Object.entries(EVENT_TEXTS))
    test(`${texts.length} events of ${name}`, (t) => {
      const family = name as FamilyName;
      const sysfs = tree(t, familyFiles(FAMILIES[family], 'bus/event_source/devices'));
      for (const text of texts)
        assert.deepEqual(withoutGuests(askPerf(sysfs, text)), withoutGuests(recorded[family][text] ?? []), text);
    });
});
