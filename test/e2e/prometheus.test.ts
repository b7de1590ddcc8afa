// A real Prometheus scrapes Keyhole for two minutes, as it would in the field, beside Debian's node_exporter.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { DASHBOARD_NAMES } from '../helpers/dashboard.ts';
import { lacksPackages, loudly } from '../helpers/debian.ts';
import { type Exporter, freePort, KEYHOLE, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';

const SCRAPE_SECONDS = 5;
const OBSERVED_SECONDS = 120;
const REFERENCE = ['/usr/bin/prometheus-node-exporter'];
/** What a dashboard shows beyond the defaults of both, with the devices that Debian's own defaults leave out. */
const FLAGS = [
  '--collector.diskstats.device-exclude=^(z?ram|loop)\\d+$',
  '--collector.interrupts',
  '--collector.ksmd',
  '--collector.processes',
  '--collector.netdev.device-exclude=^$',
  '--collector.vmstat',
];

/** Questions that panels and alerts ask, `$` being the job: how far the two may be apart, by share or absolutely. */
const QUESTIONS: readonly (readonly [expression: string, share: number, absolute: number])[] = [
  ['count by (cpu) (node_cpu_seconds_total{$})', 0, 0],
  ['sum by (mode) (rate(node_cpu_seconds_total{$}[90s]))', 0.25, 0.2],
  ['1 - avg without (cpu, mode) (rate(node_cpu_seconds_total{$,mode="idle"}[90s]))', 0.25, 0.1],
  ['node_memory_MemTotal_bytes{$}', 0, 0],
  ['1 - node_memory_MemAvailable_bytes{$} / node_memory_MemTotal_bytes{$}', 0.25, 0.02],
  ['1 - node_filesystem_avail_bytes{$,mountpoint="/"} / node_filesystem_size_bytes{$,mountpoint="/"}', 0.1, 0.01],
  ['node_time_seconds{$} - node_boot_time_seconds{$}', 0, 2 * SCRAPE_SECONDS],
  ['node_load15{$}', 0.25, 0.5],
  ['rate(node_context_switches_total{$}[90s])', 0.4, 100],
  ['sum(rate(node_interrupts_total{$}[90s]))', 0.4, 500],
  ['rate(node_network_receive_bytes_total{$}[90s]) * 8', 0.5, 1e6],
  ['rate(node_disk_io_time_seconds_total{$}[90s])', 0.4, 0.1],
  ['node_network_mtu_bytes{$}', 0, 0],
  ['node_filefd_maximum{$}', 0, 0],
  ['node_timex_sync_status{$}', 0, 0],
];

const skip = loudly(lacksPackages('prometheus', 'prometheus-node-exporter'));

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [number, string];
}

describe('scraped by Prometheus', { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-prometheus-'));
  const exporters: Exporter[] = [];
  let prometheus: ChildProcess | undefined;
  let log = '';
  let api = '';

  before(async () => {
    exporters.push(await startExporter(KEYHOLE, FLAGS), await startExporter(REFERENCE, FLAGS));
    const job = (name: string, { port }: Exporter): string =>
      `  - job_name: ${name}\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`;
    const [keyhole, reference] = exporters as [Exporter, Exporter];
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      `global: { scrape_interval: ${SCRAPE_SECONDS}s }\nscrape_configs:\n${job('keyhole', keyhole)}${job('reference', reference)}`,
    );
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1/query?query=`;
    const args = [`--config.file=${config}`, `--storage.tsdb.path=${join(folder, 'data')}`];
    prometheus = spawn('prometheus', [...args, `--web.listen-address=127.0.0.1:${port}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    prometheus.stderr?.on('data', (chunk) => {
      log += chunk;
    });
    await delay(OBSERVED_SECONDS * 1000);
    assert.equal(prometheus.exitCode, null, log);
  });
  after(async () => {
    if (prometheus?.exitCode === null) {
      const ended = once(prometheus, 'exit');
      prometheus.kill();
      await ended;
    }
    await Promise.all(exporters.map((each) => each.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  const query = async (expression: string): Promise<readonly Result[]> => {
    const answer = await fetch(api + encodeURIComponent(expression));
    const { status, error, data } = (await answer.json()) as {
      status: string;
      error?: string;
      data: { result: readonly Result[] };
    };
    assert.equal(status, 'success', `${expression}: ${error}`);
    return data.result;
  };
  const number = async (expression: string): Promise<number> => Number((await query(expression))[0]?.value[1]);
  /** The answer for one job, by what tells its series apart. */
  const answerOf = async (expression: string, job: string): Promise<Record<string, number>> => {
    const results = await query(expression.replaceAll('$', `job="${job}"`));
    return Object.fromEntries(
      results.map(({ metric: { job: _job, instance: _instance, device_error: _error, ...labels }, value }) => [
        JSON.stringify(labels),
        Number(value[1]),
      ]),
    );
  };

  test('it was up at every scrape, and Prometheus had nothing to complain of', async () => {
    assert.equal(await number('min_over_time(up{job="keyhole"}[3m])'), 1);
    const scrapes = await number('count_over_time(up{job="keyhole"}[3m])');
    assert.ok(scrapes >= OBSERVED_SECONDS / SCRAPE_SECONDS - 2, `${scrapes} scrapes`);
    const complaints = log.split('\n').filter((line) => /level=(warn|error)/.test(line) && /scrape/.test(line));
    assert.deepEqual(complaints, []);
  });

  test('no sample was dropped, and a scrape is quick', async (t) => {
    const scraped = await number('scrape_samples_scraped{job="keyhole"}');
    assert.ok(scraped > 300, `${scraped} samples`);
    assert.equal(await number('scrape_samples_post_metric_relabeling{job="keyhole"}'), scraped);
    const slowest = await number('max_over_time(scrape_duration_seconds{job="keyhole"}[3m])');
    t.diagnostic(`${scraped} samples, slowest scrape ${slowest} s`);
    assert.ok(slowest < 2, `${slowest} s`);
  });

  test('series do not come and go', async () => {
    // A task changes its state, and a state that no task is in has no series.
    const added = await number('sum_over_time(scrape_series_added{job="keyhole"}[1m])');
    const scraped = await number('scrape_samples_scraped{job="keyhole"}');
    assert.ok(added < 0.05 * scraped, `${added} of ${scraped} were new within the last minute`);
  });

  test('every name of the common dashboard that the reference gives here is there', async (t) => {
    const names = async (job: string): Promise<Set<string>> =>
      new Set((await query(`count by (__name__) ({job="${job}"})`)).map(({ metric }) => metric['__name__'] ?? ''));
    const [ours, theirs] = await Promise.all([names('keyhole'), names('reference')]);
    const wanted = DASHBOARD_NAMES.filter((name) => theirs.has(name));
    t.diagnostic(`${wanted.length} names`);
    assert.ok(wanted.length > 100, `${wanted.length} names`);
    assert.deepEqual(
      wanted.filter((name) => !ours.has(name)),
      [],
    );
  });

  for (const [expression, share, absolute] of QUESTIONS)
    test(`${expression} is answered as from the reference`, async () => {
      const [ours, theirs] = await Promise.all([answerOf(expression, 'keyhole'), answerOf(expression, 'reference')]);
      assert.deepEqual(Object.keys(ours).sort(), Object.keys(theirs).sort());
      for (const [labels, value] of Object.entries(theirs)) {
        const own = ours[labels] as number;
        const near = Math.abs(own - value) <= Math.max(share * Math.abs(value), absolute);
        assert.ok(near, `${labels}: ${own}, not near ${value}`);
      }
    });

  test('a second has a second of CPU time on each CPU', async () => {
    const cores = await number('count(count by (cpu) (node_cpu_seconds_total{job="keyhole"}))');
    const used = await number('sum(rate(node_cpu_seconds_total{job="keyhole"}[90s]))');
    assert.ok(Math.abs(used - cores) < 0.1 * cores, `${used} seconds a second on ${cores} CPUs`);
  });

  test('promtool finds nothing in our families that it does not find in the reference’s', async () => {
    const lint = (text: string): string[] => {
      const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      return `${stdout}${stderr}`.split('\n').filter(Boolean);
    };
    const [keyhole, reference] = exporters as [Exporter, Exporter];
    const [ours, theirs] = await Promise.all([keyhole.scrape(), reference.scrape()]);
    const known = new Set(lint(theirs));
    const shared = new Set(parseExposition(theirs).keys());
    const faults = lint(ours).filter((line) => !known.has(line));
    // Names newer than Debian's reference are the reference's own too: what both have and what is ours alone must be clean.
    const counts = (name = ''): boolean => shared.has(name) || /^(keyhole|nodejs|process|promhttp)_/.test(name);
    assert.ok(known.size > 0, 'promtool finds nothing at all');
    assert.deepEqual(
      faults.filter((line) => counts(line.split(' ')[0]) || /^error/.test(line)),
      [],
    );
  });
});
