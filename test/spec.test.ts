import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { programFlags } from '../src/cli/flags.ts';
import { collectors } from '../src/collectors/index.ts';
import { toggleOf } from '../src/core/assemble.ts';
import type { Metric } from '../src/core/collector.ts';
import type { Flag } from '../src/core/flag.ts';

// The facts of the reference lie beside the checkout where the project is developed.
const SPEC = new URL('../../shared/spec/', import.meta.url);
const skip = existsSync(SPEC) ? false : `the reference's facts are not at ${SPEC.pathname}`;

interface SpecFamily {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly emitted?: string;
}
interface SpecCollector {
  readonly name: string;
  readonly default_enabled: boolean;
  readonly families: readonly SpecFamily[];
}
interface SpecFlag {
  readonly name: string;
  readonly type: string;
  readonly default: string | readonly string[];
  readonly collector: string | null;
  readonly hidden: boolean;
  readonly env?: string;
}

const read = <T>(file: string): T => JSON.parse(readFileSync(new URL(file, SPEC), 'utf8')) as T;
const specCollectors = skip === false ? read<{ collectors: SpecCollector[] }>('collectors.json').collectors : [];
const specFlags = skip === false ? read<{ flags: SpecFlag[] }>('flags.json').flags : [];
const nameOf = (metric: Metric): string => ('pattern' in metric ? metric.pattern : metric.name);

/** Whether a declared name or pattern covers one of the reference's, whose placeholders may be called otherwise. */
function covers(declared: string, wanted: string): boolean {
  const escaped = declared.split(/<[^>]+>/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${escaped.join('.+')}$`).test(wanted);
}

const sameLabels = (a: readonly string[], b: readonly string[]): boolean =>
  [...a].sort().join() === [...b].sort().join();

if (skip !== false) test('Keyhole declares what the reference has', { skip }, () => {});

for (const wanted of specCollectors) {
  const own = collectors.find((each) => each.name === wanted.name);
  test(`collector ${wanted.name} is declared as the reference has it`, () => {
    assert.ok(own !== undefined, 'it is not declared');
    assert.equal(own.enabled, wanted.default_enabled, 'enabled by default');
    const metrics = Object.values(own.metrics as Readonly<Record<string, Metric>>);
    for (const family of wanted.families) {
      const found = metrics.filter((metric) => covers(nameOf(metric), family.name));
      assert.ok(found.length > 0, `${family.name} is not declared`);
      if (found.some((metric) => metric.type === 'any')) continue;
      assert.ok(
        found.some(({ type, labels }) => type === family.type && sameLabels(labels, family.labels)),
        `${family.name}: ${family.type} with labels ${family.labels.join()}, declared are ${found.map((f) => `${f.type} with ${f.labels.join()}`).join('; ')}`,
      );
    }
  });
}

test('every flag of the reference is declared, with its default', { skip }, () => {
  const declared = collectors.flatMap((each): Flag[] => Object.values(each.flags));
  const toggles = collectors.map(toggleOf);
  const all = new Map<string, Partial<Flag>>(
    [...Object.values(programFlags), ...declared, ...toggles].map((each) => [`--${each.name}`, each]),
  );
  for (const wanted of specFlags) {
    const own = all.get(wanted.name);
    assert.ok(own !== undefined, `${wanted.name} is not declared`);
    if (own.fallback === undefined) continue;
    const fallback = Array.isArray(wanted.default) ? wanted.default : [wanted.default];
    assert.equal(own.fallback.join('\n'), fallback.join('\n'), `${wanted.name}: its default`);
    assert.equal(own.kind === 'list', /repeatable/.test(wanted.type), `${wanted.name}: repeatable`);
    assert.equal(own.kind === 'bool', wanted.type === 'bool', `${wanted.name}: a boolean`);
    assert.equal(own.env, wanted.env, `${wanted.name}: its environment variable`);
  }
});
