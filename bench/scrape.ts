// CPU time per scrape with the same collectors, gzip as Prometheus asks for it, against Debian's node_exporter in the same run.
import { lacksPackages } from '../test/helpers/debian.ts';
import { type Exporter, KEYHOLE, startExporter } from '../test/helpers/exporter.ts';
import type { Claim } from './claim.ts';
import { cpuNs, median } from './cpu.ts';

const ROUNDS = 9;
const SCRAPES = 60;

/** What both have by default. */
const COLLECTORS = [
  'arp',
  'conntrack',
  'cpu',
  'cpufreq',
  'diskstats',
  'dmi',
  'edac',
  'entropy',
  'filefd',
  'filesystem',
  'hwmon',
  'loadavg',
  'meminfo',
  'netclass',
  'netdev',
  'netstat',
  'nvme',
  'os',
  'powersupplyclass',
  'pressure',
  'schedstat',
  'sockstat',
  'softnet',
  'stat',
  'textfile',
  'thermal_zone',
  'time',
  'timex',
  'udp_queues',
  'uname',
  'vmstat',
];

async function costNs({ child, url }: Exporter): Promise<number> {
  const before = cpuNs(child.pid as number);
  for (let i = 0; i < SCRAPES; i += 1)
    await (await fetch(`${url}/metrics`, { headers: { 'Accept-Encoding': 'gzip' } })).arrayBuffer();
  return (cpuNs(child.pid as number) - before) / SCRAPES;
}

export const claims: readonly Claim[] = [
  {
    says: 'A scrape takes at most three quarters of the CPU time that prometheus-node-exporter takes for the same collectors.',
    atMost: 0.75,
    async measure() {
      const lacking = lacksPackages('prometheus-node-exporter');
      if (lacking !== false) return { skipped: lacking };
      const args = ['--collector.disable-defaults', ...COLLECTORS.map((name) => `--collector.${name}`)];
      const [keyhole, reference] = [
        await startExporter(KEYHOLE, args),
        await startExporter(['/usr/bin/prometheus-node-exporter'], args),
      ];
      try {
        await costNs(keyhole);
        await costNs(reference);
        const rounds: { own: number; other: number }[] = [];
        for (let i = 0; i < ROUNDS; i += 1) rounds.push({ own: await costNs(keyhole), other: await costNs(reference) });
        const [own, other] = [median(rounds.map((r) => r.own)), median(rounds.map((r) => r.other))];
        const detail = `${(own / 1e6).toFixed(2)} ms against ${(other / 1e6).toFixed(2)} ms a scrape, medians of ${ROUNDS} rounds of ${SCRAPES}`;
        return { ratio: median(rounds.map((r) => r.own / r.other)), detail };
      } finally {
        await keyhole.stop();
        await reference.stop();
      }
    },
  },
];
