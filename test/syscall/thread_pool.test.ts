import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';

const MODULE = new URL('../../src/syscall/thread_pool.ts', import.meta.url).href;

/** Starts the pool in a process of its own and counts the threads that are there. */
function run(env: NodeJS.ProcessEnv): { threads: number; hangingMax: number } {
  const script = `
    import { startThreadPool, hangingMax } from ${JSON.stringify(MODULE)};
    import { readdirSync, readFileSync } from 'node:fs';
    startThreadPool(process.env, {});
    const names = readdirSync('/proc/self/task').map((task) => readFileSync('/proc/self/task/' + task + '/comm', 'utf8'));
    const threads = names.filter((name) => name === 'libuv-worker\\n').length;
    process.stdout.write(JSON.stringify({ threads, hangingMax: hangingMax() }));`;
  const { UV_THREADPOOL_SIZE: _, ...rest } = process.env;
  const text = execFileSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    env: { ...rest, ...env },
    encoding: 'utf8',
  });
  return JSON.parse(text);
}

for (const [env, expected] of [
  [{}, { threads: 16, hangingMax: 8 }],
  [{ UV_THREADPOOL_SIZE: '6' }, { threads: 6, hangingMax: 1 }],
  [{ UV_THREADPOOL_SIZE: '2' }, { threads: 2, hangingMax: 1 }],
  [{ UV_THREADPOOL_SIZE: 'many' }, { threads: 16, hangingMax: 8 }],
] as const)
  test(`the pool with ${JSON.stringify(env)} in the environment`, () => assert.deepEqual(run(env), expected));

test('the end waits for nothing', () => {
  const script = `
    import { exit } from ${JSON.stringify(MODULE)};
    process.on('exit', () => process.stdout.write('waited'));
    exit(7);`;
  const { status, stdout } = spawnSync(process.execPath, ['--input-type=module-typescript', '--eval', script], {
    encoding: 'utf8',
  });
  assert.deepEqual({ status, stdout }, { status: 7, stdout: '' });
});
