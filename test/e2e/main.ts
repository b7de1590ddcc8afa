// Runs the end-to-end tests one after another: they share the machine's ports, mounts and settings.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import process from 'node:process';

const root = new URL('../../', import.meta.url).pathname;
const only = process.argv.slice(2);
const files = globSync('test/e2e/**/*.test.ts', { cwd: root })
  .filter((file) => only.length === 0 || only.some((part) => file.includes(part)))
  .sort();
/** Whatever hangs fails, and the rest still runs. */
const TIMEOUT_MS = 900_000;
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=1', `--test-timeout=${TIMEOUT_MS}`, '--test-reporter=spec', ...files],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
process.exitCode = status ?? 1;
