// The newest Prometheus scrapes Keyhole with the rules loaded: every query of every panel and rule is answered, by this machine or,
// where that has not what is asked for, by a recorded one.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { parse } from 'yaml';
import { loudly } from '../helpers/debian.ts';
import { blocksOf } from '../helpers/documents.ts';
import { type Exporter, freePort, startExporter } from '../helpers/exporter.ts';
import { newestPeers } from '../helpers/peer.ts';
import { recordedMachine } from '../helpers/recorded.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
/** `KEYHOLE_E2E_DASHBOARD_SECONDS=600` is the long version. */
const OBSERVED_SECONDS = Number(process.env['KEYHOLE_E2E_DASHBOARD_SECONDS'] ?? 40);
const SCRAPE_SECONDS = 2;
const FLAGS = ['--collector.perf', '--collector.cpu.info'];

const found = newestPeers();
const skip = loudly('lacks' in found ? found.lacks : false);
const { prometheus: prometheusPath, promtool } = 'lacks' in found ? { prometheus: '', promtool: '' } : found;

const ruleFiles = globSync('deploy/prometheus/*.yml', { cwd: ROOT })
  .sort()
  .map((path) => join(ROOT, path));

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
}
const rules = ruleFiles.flatMap((path) =>
  (parse(readFileSync(path, 'utf8')) as { groups: { rules: Rule[] }[] }).groups.flatMap((group) => group.rules),
);

interface PanelJson {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}
interface DashboardJson {
  readonly panels: readonly PanelJson[];
  readonly templating: {
    readonly list: readonly { readonly type: string; readonly query: { readonly query: string } }[];
  };
}
const dashboards = globSync('deploy/grafana/*.json', { cwd: ROOT })
  .sort()
  .map((path) => JSON.parse(readFileSync(join(ROOT, path), 'utf8')) as DashboardJson);
/** What the panels ask, for all machines of a job. */
const questions = dashboards
  .flatMap(({ panels }) => panels)
  .flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
/** What the lists of jobs and machines above the panels are made of: `label_values(<series>, <label>)`. */
const choices = dashboards
  .flatMap(({ templating }) => templating.list)
  .filter(({ type }) => type === 'query')
  .map(({ query }) => query.query);

/** Metrics that a machine may lack, and why: no panel or rule may be empty for any other reason. */
const MAY_LACK: readonly (readonly [names: RegExp, why: string])[] = [
  [/^(instance|model|cgroup):node_perf_/, 'recorded from counters that it has not'],
  [/^node_perf_(cpu_covered|context_switches|cpu_migrations|m..or_faults)/, 'perf is denied'],
  [/^node_perf_(topdown|energy|memory|event_missing)/, 'no such events'],
  [/^node_perf_/, 'no PMU'],
  [/^keyhole_perf_(cgroups|opener_up)$/, 'no cgroups are asked for'],
  [/^keyhole_perf_unavailable$/, 'every kind of counters is there'],
  [/^node_rapl_/, 'RAPL is root’s'],
  [/^node_(hwmon|cpu_scaling|cpu_info)/, 'a virtual machine'],
  [/^node_pressure_/, 'a kernel without PSI'],
];
const whyLacking = (name: string): string | undefined => MAY_LACK.find(([names]) => names.test(name))?.[1];

describe('rules', { skip }, () => {
  test('promtool takes them', () => {
    const { status, stdout, stderr } = spawnSync(
      promtool,
      ['check', 'rules', '--lint=all', '--lint-fatal', ...ruleFiles],
      {
        encoding: 'utf8',
      },
    );
    assert.equal(status, 0, `${stdout}${stderr}`);
  });

  test('promtool takes the configuration of docs/monitoring.md', () => {
    const [block] = blocksOf('docs/monitoring.md').filter(({ language }) => language === 'yaml');
    const folder = mkdtempSync(join(tmpdir(), 'keyhole-config-'));
    try {
      const text = block?.text.replace('/etc/prometheus/rules', join(ROOT, 'deploy/prometheus')) ?? '';
      writeFileSync(join(folder, 'prometheus.yml'), text);
      const argv = ['check', 'config', join(folder, 'prometheus.yml')];
      const { status, stdout, stderr } = spawnSync(promtool, argv, { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      assert.equal(stdout.match(/SUCCESS: \d+ rules found/g)?.length, ruleFiles.length, stdout);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const testFiles = globSync('test/rules/*.test.yml', { cwd: ROOT }).sort();
  const runTests = (file: string): ReturnType<typeof spawnSync> =>
    spawnSync(promtool, ['test', 'rules', file], { encoding: 'utf8' });
  for (const file of testFiles)
    test(`${file} holds`, () => {
      const { status, stdout, stderr } = runTests(join(ROOT, file));
      assert.equal(status, 0, `${stdout}${stderr}`);
    });

  test('every alert fires in one of these tests', () => {
    const texts = testFiles.map((file) => readFileSync(join(ROOT, file), 'utf8')).join('');
    const silent = rules.filter(({ alert }) => alert !== undefined && !new RegExp(`\\b${alert}\\b`).test(texts));
    assert.deepEqual(silent, []);
  });

  test('the tests find a rule that is wrong', () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyhole-rules-'));
    try {
      for (const file of [...ruleFiles, ...testFiles.map((path) => join(ROOT, path))]) {
        const text = readFileSync(file, 'utf8').replaceAll('../../deploy/prometheus/', '');
        writeFileSync(join(folder, file.slice(file.lastIndexOf('/') + 1)), text.replace('> 26 * 3600', '> 27 * 3600'));
      }
      assert.notEqual(runTests(join(folder, 'keyhole.test.yml')).status, 0);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

describe('scraped with the rules loaded', { skip, timeout: 180_000 + OBSERVED_SECONDS * 1000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-dashboards-'));
  let exporter: Exporter;
  let recorded: Server;
  let prometheus: ChildProcess | undefined;
  let api = '';
  let log = '';

  const ask = async <T>(path: string): Promise<T> => {
    const answer = (await (await fetch(`${api}${path}`)).json()) as { status: string; error?: string; data: T };
    assert.equal(answer.status, 'success', `${path}: ${answer.error}`);
    return answer.data;
  };
  const query = async (expression: string): Promise<readonly Series[]> =>
    (await ask<{ result: readonly Series[] }>(`query?query=${encodeURIComponent(expression)}`)).result;

  before(async () => {
    writeFileSync(join(folder, 'backup.prom'), 'backup_last_success_seconds 1\n');
    exporter = await startExporter(undefined, [...FLAGS, `--collector.textfile.directory=${folder}`]);
    recorded = recordedMachine().listen(0, '127.0.0.1');
    await once(recorded, 'listening');
    const job = (name: string, port: number): string =>
      `  - { job_name: ${name}, static_configs: [{ targets: ['127.0.0.1:${port}'] }] }\n`;
    writeFileSync(
      join(folder, 'prometheus.yml'),
      `global: { scrape_interval: ${SCRAPE_SECONDS}s, evaluation_interval: ${SCRAPE_SECONDS}s }
rule_files: ${JSON.stringify(ruleFiles)}
scrape_configs:
${job('live', exporter.port)}${job('recorded', (recorded.address() as { port: number }).port)}`,
    );
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1/`;
    prometheus = spawn(
      prometheusPath,
      [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    prometheus.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    const deadline = Date.now() + OBSERVED_SECONDS * 1000 + 60_000;
    for (;;) {
      assert.equal(prometheus.exitCode, null, log);
      assert.ok(Date.now() < deadline, log);
      const scrapes = await query('min(count_over_time(up[1h]))').catch(() => []);
      if (Number(scrapes[0]?.value[1] ?? 0) * SCRAPE_SECONDS >= OBSERVED_SECONDS) break;
      await delay(500);
    }
  });
  after(async () => {
    if (prometheus?.exitCode === null) {
      const ended = once(prometheus, 'exit');
      prometheus.kill();
      await ended;
    }
    recorded?.close();
    await exporter?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('it was up at every scrape', async () => {
    assert.deepEqual(
      (await query('min_over_time(up[1h])')).map(({ value }) => value[1]),
      ['1', '1'],
    );
  });

  test('every rule is evaluated without an error', async () => {
    const { groups } = await ask<{ groups: { rules: { name: string; health: string; lastError?: string }[] }[] }>(
      'rules',
    );
    const evaluated = groups.flatMap((group) => group.rules);
    assert.equal(evaluated.length, rules.length);
    assert.deepEqual(
      evaluated.filter(({ health }) => health !== 'ok'),
      [],
    );
  });

  /** The metrics that an expression asks for and this machine does not give. */
  const lackingIn = async (expression: string): Promise<string[]> => {
    const names = new Set(
      expression.match(/(?<![\w:"$])(?:(?:instance|model|cgroup):)?(?:node|keyhole|process)_[\w:]+/g),
    );
    const lacking: string[] = [];
    for (const name of names) if ((await query(`{__name__="${name}",job="live"}`)).length === 0) lacking.push(name);
    return lacking;
  };

  test('every panel is answered by this machine, or by a recorded one that has what this lacks', async (t) => {
    assert.ok(questions.length > 70, `${questions.length} questions`);
    for (const { title, expr } of questions) {
      const of = (job: string): string =>
        expr.replaceAll('$job', job).replaceAll('$instance', '.*').replaceAll('$__rate_interval', '30s');
      if ((await query(of('live'))).length > 0) continue;
      const lacking = await lackingIn(expr);
      const whys = lacking.map(whyLacking);
      assert.ok(lacking.length > 0, `${title}: nothing, though all is there: ${expr}`);
      assert.ok(!whys.includes(undefined), `${title}: ${lacking.join()}`);
      assert.ok(
        (await query(of('recorded'))).length > 0,
        `${title}: nothing from the recorded machine either: ${expr}`,
      );
      t.diagnostic(`${title}: ${[...new Set(whys)].join(', ')} (${lacking.join(', ')})`);
    }
  });

  test('the lists above the panels have this machine in them', async () => {
    assert.equal(choices.length, 4);
    for (const text of choices) {
      const [, series, label = ''] = /^label_values\((.*), (\w+)\)$/.exec(text) ?? [];
      assert.ok(series !== undefined, text);
      const found = await query(series.replaceAll('$job', 'live'));
      assert.ok(
        found.some(({ metric }) => metric['job'] === 'live' && metric[label] !== undefined),
        text,
      );
    }
  });

  test('every recording rule gives series, with the right values', async (t) => {
    for (const { record, expr } of rules) {
      if (record === undefined) continue;
      assert.ok((await query(`${record}{job="recorded"}`)).length > 0, record);
      if ((await query(`${record}{job="live"}`)).length > 0) continue;
      const lacking = await lackingIn(expr);
      assert.ok(lacking.length > 0 && !lacking.map(whyLacking).includes(undefined), `${record}: ${lacking.join()}`);
      t.diagnostic(`${record}: ${whyLacking(lacking[0] as string)}`);
    }
    for (const [name, wanted] of [
      ['instance:node_perf_ipc:ratio_rate5m', 1.5],
      ['model:node_perf_ipc:ratio_rate5m', 1.5],
      ['instance:node_perf_ll_read_mpki:rate5m', 2],
      ['instance:node_perf_ll_read_miss:ratio_rate5m', 0.2],
      ['instance:node_perf_branch_miss:ratio_rate5m', 0.02],
      ['instance:node_perf_stalled_backend:ratio_rate5m', 0.4],
      ['instance:node_perf_group_running:min_ratio_rate5m', 0.5],
      ['instance:node_perf_cpu_covered:avg', 1],
      ['instance:node_perf_cpi:ratio_rate5m', 2 / 3],
      ['cgroup:node_perf_cpi:ratio_rate5m', 2],
      ['container:node_perf_cpi:ratio_rate5m', 2],
    ] as const)
      for (const { metric, value } of await query(`${name}{job="recorded"}`))
        assert.ok(
          Math.abs(Number(value[1]) / wanted - 1) < 0.02,
          `${name} of ${metric['model_name']}: ${value[1]}, not ${wanted}`,
        );
  });

  test('no alert about Keyhole is on its way, but that perf is denied where it is', async () => {
    const alerts = await query('ALERTS{job="live",alertname=~"Keyhole.*"}');
    const names = alerts.map(({ metric }) => metric['alertname']).filter((name) => name !== 'KeyholePerfDenied');
    assert.deepEqual(names, []);
  });
});

test('the rules of the operator’s resource are those of the files', { skip }, () => {
  const manifest = parse(readFileSync(join(ROOT, 'deploy/kubernetes/monitoring/prometheusrule.yaml'), 'utf8')) as {
    spec: unknown;
  };
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-rules-'));
  try {
    const file = join(folder, 'rules.yml');
    writeFileSync(file, JSON.stringify(manifest.spec));
    assert.match(execFileSync(promtool, ['check', 'rules', file], { encoding: 'utf8' }), /SUCCESS: 36 rules found/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
