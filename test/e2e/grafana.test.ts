// The dashboards, held against Grafana's own schema: its types, as its project publishes them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { after, describe, test } from 'node:test';
import { loudly } from '../helpers/debian.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const SCHEMA = '@grafana/schema@13.2.3';
const folder = mkdtempSync(join(tmpdir(), 'keyhole-grafana-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function lacksSchema(): string | false {
  writeFileSync(join(folder, 'package.json'), '{"private":true,"type":"module"}');
  const { status, stderr, error } = spawnSync('npm', ['install', '--silent', '--ignore-scripts', SCHEMA], {
    cwd: folder,
    encoding: 'utf8',
  });
  return status === 0 ? false : `npm cannot install ${SCHEMA}: ${error?.message ?? stderr.split('\n')[0]}`;
}
const skip = loudly(lacksSchema());

/** In JSON an enumeration is its value. */
const TYPES = `import type { Dashboard, GraphFieldConfig, Panel, VizLegendOptions, VizTooltipOptions } from '@grafana/schema';
type Plain<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
type Shown = Plain<Dashboard>;
type Graph = Plain<Panel<{ legend: VizLegendOptions; tooltip: VizTooltipOptions }, GraphFieldConfig>>;
`;

interface PanelJson {
  readonly type: string;
}

/** What the compiler has against a dashboard. */
function faultsOf(name: string, json: string): string[] {
  const graphs = (JSON.parse(json) as { panels: PanelJson[] }).panels.filter(({ type }) => type === 'timeseries');
  const parts = graphs.map((panel, i) => `export const graph${i}: Partial<Graph> = ${JSON.stringify(panel)};\n`);
  const file = join(folder, `${name}.ts`);
  writeFileSync(file, `${TYPES}export const dashboard: Shown = ${json};\n${parts.join('')}`);
  const { stdout } = spawnSync(
    join(ROOT, 'node_modules/.bin/tsc'),
    ['--noEmit', '--strict', '--skipLibCheck', '--module', 'nodenext', file],
    { cwd: folder, encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } },
  );
  return stdout.split('\n').filter((line) => /error TS/.test(line));
}

describe('dashboards', { skip, timeout: 120_000 }, () => {
  for (const path of globSync('deploy/grafana/*.json', { cwd: ROOT }).sort())
    test(`${basename(path)} fits Grafana's schema`, () => {
      assert.deepEqual(faultsOf(basename(path, '.json'), readFileSync(join(ROOT, path), 'utf8')), []);
    });

  test('the schema finds what is wrong', () => {
    const json = readFileSync(join(ROOT, 'deploy/grafana/keyhole-perf.json'), 'utf8');
    for (const [right, wrong] of [
      ['"schemaVersion": 39', '"schemaVersion": "39"'],
      ['"mode": "absolute"', '"mode": "obsolete"'],
      ['"drawStyle": "line"', '"drawStyle": "lines"'],
      ['"graphTooltip": 1', '"graphTip": 1'],
    ] as const)
      assert.notDeepEqual(faultsOf('wrong', json.replace(right, wrong)), [], wrong);
  });
});
