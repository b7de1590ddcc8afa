// Runs the recorded conformance suite that lies beside the checkout, and accepts the deliberate differences of
// docs/differences.md exactly: one more fails, and one that is gone fails too.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const root = new URL('../', import.meta.url).pathname;
const suite = join(root, '../shared/conformance/conformance.mjs');

/** As the suite words them. */
const DELIBERATE: readonly string[] = [
  // The file counts units of 512 bytes, whatever the size of a logical block.
  'node_nvme_namespace_capacity_bytes{device="nvme0",nsid="1"} is 2e+12, expected 1.6e+13',
  'node_nvme_namespace_size_bytes{device="nvme0",nsid="1"} is 2e+12, expected 1.6e+13',
];

interface Score {
  readonly right: number;
  readonly wrong: number;
}

const INDENTED = /^ {2,}(?=\S)/;
const SURPLUS = /^more than the reference: /;

interface Outcome {
  readonly faults: readonly string[];
  /** The suite's own summary. */
  readonly summary: string;
}

function run(): Outcome {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-conformance-'));
  try {
    const report = join(folder, 'report.json');
    const args = [suite, '--exporter', join(root, 'dist/keyhole'), '--verbose', '--json', report];
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
    process.stderr.write(stderr);
    const lines = stdout.trimEnd().split('\n');
    const told = lines.filter((line) => INDENTED.test(line)).map((line) => line.trim());
    const scores = Object.entries(JSON.parse(readFileSync(report, 'utf8')) as Record<string, Score>);
    const wrong = scores.reduce((sum, [, score]) => sum + score.wrong, 0);
    const faults = [
      ...told.filter((line) => !DELIBERATE.includes(line)),
      ...DELIBERATE.filter((line) => !told.includes(line)).map((line) => `no longer so: ${line}`),
      ...lines.filter((line) => SURPLUS.test(line)),
      ...scores.filter(([, { right }]) => right === 0).map(([name]) => `${name}: nothing was compared`),
      ...(wrong === told.length ? [] : [`${wrong} samples are wrong, ${told.length} are told`]),
    ];
    return { faults, summary: lines.at(-1) ?? '' };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (!existsSync(suite)) {
  process.stderr.write('there is no ../shared/conformance beside the checkout\n');
  process.exit(2);
}
const { faults, summary } = run();
for (const fault of faults) process.stdout.write(`FAIL ${fault}\n`);
if (faults.length === 0) process.stdout.write(`ok   the ${DELIBERATE.length} deliberate differences and no other\n`);
process.stdout.write(`${summary}\n`);
process.exitCode = faults.length === 0 ? 0 : 1;
