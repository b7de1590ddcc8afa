// A real Prometheus scrapes Keyhole for two minutes, as it would in the field.
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
import { type Exporter, freePort, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';

const SCRAPE_SECONDS = 5;
const OBSERVED_SECONDS = 120;

const skip = loudly(lacksPackages('prometheus', 'prometheus-node-exporter'));

describe('scraped by Prometheus', { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-prometheus-'));
  let keyhole: Exporter;
  let reference: Exporter;
  let prometheus: ChildProcess;
  let api = '';

  before(async () => {
    keyhole = await startExporter();
    reference = await startExporter(['/usr/bin/prometheus-node-exporter']);
    const job = (name: string, { port }: Exporter): string =>
      `  - job_name: ${name}\n    static_configs: [{ targets: ['127.0.0.1:${port}'] }]\n`;
    const config = join(folder, 'prometheus.yml');
    writeFileSync(
      config,
      `global: { scrape_interval: ${SCRAPE_SECONDS}s }\nscrape_configs:\n${job('keyhole', keyhole)}${job('reference', reference)}`,
    );
    const port = await freePort();
    api = `http://127.0.0.1:${port}/api/v1/query?query=`;
    prometheus = spawn(
      'prometheus',
      [
        `--config.file=${config}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    );
    await delay(OBSERVED_SECONDS * 1000);
  });
  after(async () => {
    const ended = once(prometheus, 'exit');
    prometheus.kill();
    await ended;
    await Promise.all([keyhole.stop(), reference.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  interface Result {
    readonly metric: Readonly<Record<string, string>>;
    readonly value: readonly [number, string];
  }
  const query = async (expression: string): Promise<readonly Result[]> => {
    const answer = (await (await fetch(api + encodeURIComponent(expression))).json()) as {
      data: { result: readonly Result[] };
    };
    return answer.data.result;
  };
  const number = async (expression: string): Promise<number> => Number((await query(expression))[0]?.value[1]);

  test('it was up at every scrape', async () => {
    assert.equal(await number('min_over_time(up{job="keyhole"}[3m])'), 1);
    const scrapes = await number('count_over_time(up{job="keyhole"}[3m])');
    assert.ok(scrapes >= OBSERVED_SECONDS / SCRAPE_SECONDS - 2, `${scrapes} scrapes`);
  });

  test('no sample was dropped', async () => {
    const scraped = await number('scrape_samples_scraped{job="keyhole"}');
    assert.ok(scraped > 300, `${scraped} samples`);
    assert.equal(await number('scrape_samples_post_metric_relabeling{job="keyhole"}'), scraped);
  });

  test('every name of the common dashboard that the reference gives here is there', async () => {
    const names = async (job: string): Promise<Set<string>> =>
      new Set((await query(`count by (__name__) ({job="${job}"})`)).map(({ metric }) => metric['__name__'] ?? ''));
    const [ours, theirs] = await Promise.all([names('keyhole'), names('reference')]);
    const wanted = DASHBOARD_NAMES.filter((name) => theirs.has(name));
    assert.ok(wanted.length > 50, `${wanted.length} names`);
    assert.deepEqual(
      wanted.filter((name) => !ours.has(name)),
      [],
    );
  });

  test('rates of the counters are numbers a machine can have', async () => {
    const cores = await number('count(count by (cpu) (node_cpu_seconds_total{job="keyhole"}))');
    const used = await number('sum(rate(node_cpu_seconds_total{job="keyhole"}[1m]))');
    assert.ok(Math.abs(used - cores) < 0.2 * cores, `${used} seconds a second on ${cores} CPUs`);
  });

  test('promtool finds nothing in our families that it does not find in the reference’s', async () => {
    const lint = (text: string): string[] => {
      const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      return `${stdout}${stderr}`.split('\n').filter(Boolean);
    };
    const [ours, theirs] = await Promise.all([keyhole.scrape(), reference.scrape()]);
    const known = new Set(lint(theirs));
    const shared = new Set(parseExposition(theirs).keys());
    const faults = lint(ours).filter((line) => !known.has(line));
    const inShared = faults.filter((line) => shared.has(line.split(' ')[0] ?? ''));
    assert.deepEqual(inShared, []);
    // Names newer than Debian's reference are the reference's own too: only what is ours alone must be clean.
    assert.deepEqual(
      faults.filter((line) => /^(keyhole|nodejs|process|promhttp)_/.test(line)),
      [],
    );
  });
});
