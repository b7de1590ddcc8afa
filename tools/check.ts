// Everything that can be said of the sources without running them.
import { execFileSync } from 'node:child_process';
import { globSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { findFaults, readSources } from './arrows.ts';

const root = new URL('../', import.meta.url).pathname;
const bin = (name: string): string => join(root, 'node_modules/.bin', name);

const FILE_LINES_MAX = 400;

/** Words of a machine or of a registry, and what a merge left behind: none has a place in a project's files. */
const FOREIGN = /registry\.npmjs\.org|\/home\/\w+\/|\/work\/(main|wt|shared)|^(<{7}|>{7}) /m;

function run(command: string, ...args: string[]): string[] {
  try {
    execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return [];
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return [`${stdout}${stderr}`.trim()];
  }
}

const longFiles = (): string[] =>
  globSync('{src,test,tools,bench}/**/*.ts', { cwd: root, exclude: ['**/collectors/index.ts'] })
    .map((path) => ({ path, count: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
    .filter(({ count }) => count > FILE_LINES_MAX)
    .map(({ path, count }) => `${path}: ${count} lines, more than ${FILE_LINES_MAX}`);

const foreignWords = (): string[] =>
  execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
    .split('\0')
    .filter((path) => path !== '' && path !== 'tools/check.ts')
    .flatMap((path) => {
      const file = join(root, path);
      // The fixtures hold links to folders, as /sys does.
      const found = FOREIGN.exec(lstatSync(file).isSymbolicLink() ? readlinkSync(file) : readFileSync(file, 'latin1'));
      return found === null ? [] : [`${path}: holds ${JSON.stringify(found[0])}`];
    });

const checks: readonly (readonly [name: string, check: () => string[]])[] = [
  ['types', () => run(bin('tsc'), '-p', '.')],
  ['types of the status page', () => run(bin('tsc'), '-p', 'src/server/status/browser')],
  ['style', () => run(bin('biome'), 'check', '--error-on-warnings', '.')],
  ['import arrows', () => findFaults(readSources())],
  ['length of files', longFiles],
  ['words that do not belong here', foreignWords],
  ['generated files', () => run(process.execPath, 'tools/generate.ts', '--check')],
];

let failed = 0;
for (const [name, check] of checks) {
  const faults = check();
  if (faults.length > 0) failed += 1;
  process.stdout.write(`${faults.length === 0 ? 'ok  ' : 'FAIL'} ${name}\n${faults.map((f) => `${f}\n`).join('')}`);
}
process.exitCode = failed === 0 ? 0 : 1;
