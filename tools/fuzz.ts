// `npm run fuzz -- 30`: the tests that make up their own input, again and again with other seeds, for so many minutes (1 by default).
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

const MS_OF_MINUTE = 60_000;
const HANGS_MS = 120_000;

const root = join(import.meta.dirname, '..');
const minutes = Number(process.argv[2] ?? 1);
if (!(minutes > 0)) throw new Error(`npm run fuzz -- MINUTES, not ${process.argv[2]}`);

const files = globSync('test/**/*.test.ts', { cwd: root })
  .filter(
    (file) => !file.startsWith('test/e2e/') && readFileSync(join(root, file), 'utf8').includes("from 'fast-check'"),
  )
  .sort();
const endsAt = performance.now() + minutes * MS_OF_MINUTE;
let runs = 0;
let failures = 0;
for (let i = 0; performance.now() < endsAt; i = (i + 1) % files.length) {
  const file = files[i] as string;
  const args = ['--test', `--test-timeout=${HANGS_MS}`, '--test-reporter=tap', file];
  const { status, stdout } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  runs += 1;
  if (status === 0) continue;
  failures += 1;
  // With the seed and the smallest input that fails.
  process.stdout.write(`${file}\n${stdout}\n`);
}
process.stdout.write(`${runs} runs of ${files.length} files in ${minutes} minutes, ${failures} failed\n`);
process.exitCode = failures === 0 ? 0 : 1;
