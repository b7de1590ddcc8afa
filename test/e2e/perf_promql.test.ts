// The queries of docs/perf.md, run by promtool on recorded data.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { lacksPackages, loudly } from '../helpers/debian.ts';

const skip = loudly(lacksPackages('prometheus'));
const folder = mkdtempSync(join(tmpdir(), 'keyhole-promql-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const page = readFileSync(new URL('../../docs/perf.md', import.meta.url), 'utf8');
const questions = page.slice(page.indexOf('## Questions'), page.indexOf('## What is counted'));
/** Indented paragraphs. */
const blocks = questions.split('\n\n').filter((block) => block.startsWith('    '));
const queries = blocks.map((block) => block.trim()).filter((block) => !block.startsWith('--'));

const G = 1e9;
/** What a machine counts a second. */
const RECORDED: readonly (readonly [series: string, perSecond: number])[] = [
  ['node_perf_cpucycles_total{instance="n",cpu="0"}', 2 * G],
  ['node_perf_cpucycles_total{instance="n",cpu="1"}', 1 * G],
  ['node_perf_instructions_total{instance="n",cpu="0"}', 1 * G],
  ['node_perf_instructions_total{instance="n",cpu="1"}', 0.5 * G],
  ['node_perf_event_total{instance="n",cpu="0",pmu="msr",event="aperf",unit=""}', 3 * G],
  ['node_perf_event_total{instance="n",cpu="0",pmu="msr",event="mperf",unit=""}', 2 * G],
  ['node_perf_event_total{instance="n",cpu="0",pmu="msr",event="tsc",unit=""}', 2.5 * G],
  ['node_perf_topdown_slots_total{instance="n",cpu="0",category="retiring"}', 4 * G],
  ['node_perf_topdown_slots_total{instance="n",cpu="0",category="bad_speculation"}', 1 * G],
  ['node_perf_topdown_slots_total{instance="n",cpu="0",category="frontend_bound"}', 1 * G],
  ['node_perf_topdown_slots_total{instance="n",cpu="0",category="backend_bound"}', 2 * G],
  ['node_perf_topdown_detail_slots_total{instance="n",cpu="0",category="memory_bound"}', 2 * G],
  ['node_perf_topdown_detail_slots_total{instance="n",cpu="0",category="light_operations"}', 6 * G],
  ['node_perf_cache_misses_total{instance="n",cpu="0"}', 0.003 * G],
  ['node_perf_cache_ll_read_misses_total{instance="n",cpu="0"}', 100],
  ['node_perf_cache_ll_read_hits_total{instance="n",cpu="0"}', 400],
  ['node_perf_memory_bytes_total{instance="n",package="0",die="0",direction="read"}', 3 * G],
  ['node_perf_memory_bytes_total{instance="n",package="0",die="0",direction="write"}', 1 * G],
  ['node_perf_cgroup_cycles_total{instance="n",cgroup="/kubepods.slice/pod1/c1"}', 3 * G],
  ['node_perf_cgroup_instructions_total{instance="n",cgroup="/kubepods.slice/pod1/c1"}', 1.5 * G],
  [
    'node_perf_cgroup_event_total{instance="n",cgroup="/kubepods.slice/pod1/c1",event="cache-misses",unit=""}',
    0.006 * G,
  ],
  ['node_perf_energy_joules_total{instance="n",package="0",domain="pkg"}', 90],
  ['node_perf_group_enabled_seconds_total{instance="n",cpu="0",kind="hardware",pmu="cpu",group="0"}', 1],
  ['node_perf_group_running_seconds_total{instance="n",cpu="0",kind="hardware",pmu="cpu",group="0"}', 0.5],
  ['node_perf_cgroup_enabled_seconds_total{instance="n",cgroup="/kubepods.slice/pod1/c1"}', 2],
  ['node_perf_cgroup_running_seconds_total{instance="n",cgroup="/kubepods.slice/pod1/c1"}', 2],
];
const CONTAINER =
  'container_last_seen{instance="n:10250",id="/kubepods.slice/pod1/c1",namespace="shop",pod="web-1",container="web"}';

/** What the rule has recorded of a container, each minute: it was slowed down in the last. */
const CPI = [1.5, 1.7, 1.6, 1.4, 1.8, 1.6, 1.5, 1.7, 1.6, 1.4, 1.8, 1.6, 1.5, 1.7, 1.6, 1.4, 1.8, 1.6, 1.5, 1.7, 2.6];

/** How far the last is from the mean of all, in standard deviations of the population. */
function deviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return Math.round(((values.at(-1) ?? mean) - mean) / Math.sqrt(variance) / 0.0001) * 0.0001;
}

const CGROUP = '{instance="n",cgroup="/kubepods.slice/pod1/c1"}';
const GROUP = '{instance="n",cpu="0",kind="hardware",pmu="cpu",group="0"}';
const CORE = '{instance="n",cpu="0"}';
/** What each query answers, in the order of the page. */
const ANSWERS: readonly (readonly (readonly [labels: string, value: number])[])[] = [
  [['{instance="n"}', 0.5]],
  [
    ['{instance="n",cpu="0"}', 0.5],
    ['{instance="n",cpu="1"}', 0.5],
  ],
  [[CORE, 1.5]],
  [[CORE, 3.75 * G]],
  [
    ['{instance="n",category="retiring"}', 0.5],
    ['{instance="n",category="bad_speculation"}', 0.125],
    ['{instance="n",category="frontend_bound"}', 0.125],
    ['{instance="n",category="backend_bound"}', 0.25],
  ],
  [['{instance="n"}', 0.25]],
  [['{instance="n"}', 2]],
  [['{instance="n"}', 0.25]],
  [['{instance="n",package="0",die="0"}', 4 * G]],
  [[CGROUP, 2]],
  [
    [
      '{instance="n",cgroup="/kubepods.slice/pod1/c1",id="/kubepods.slice/pod1/c1",namespace="shop",pod="web-1",container="web"}',
      2,
    ],
  ],
  [[CGROUP, 4]],
  [[CGROUP, deviation(CPI)]],
  [['{instance="n",package="0",domain="pkg"}', 90]],
  [['{instance="n"}', 60]],
  [[GROUP, 0.5]],
  [[CGROUP, 1]],
];

function promtool(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
  return stdout;
}

describe('the queries of the page', { skip }, () => {
  test('every query has an answer here', () => assert.equal(queries.length, ANSWERS.length, queries.join('\n')));

  for (const [i, query] of queries.entries())
    test(query, () => {
      const samples = (ANSWERS[i] ?? []).map(([labels, value]) => ({ labels, value }));
      const input = RECORDED.map(([series, perSecond]) => ({ series, values: `0+${perSecond * 60}x20` }));
      const recorded = { series: `cgroup:node_perf_cpi:ratio_rate5m${CGROUP}`, values: CPI.join(' ') };
      // JSON is YAML. Exact to the last bit no rate is.
      writeFileSync(
        join(folder, 'test.yaml'),
        JSON.stringify({
          evaluation_interval: '1m',
          tests: [
            {
              interval: '1m',
              input_series: [...input, recorded, { series: CONTAINER, values: '5x20' }],
              promql_expr_test: [{ expr: `round(${query}, 0.0001)`, eval_time: '20m', exp_samples: samples }],
            },
          ],
        }),
      );
      promtool('test', 'rules', 'test.yaml');
    });
});
