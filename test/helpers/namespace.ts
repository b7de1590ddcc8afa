import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { test } from 'node:test';

const INSIDE = 'KEYHOLE_TEST_INSIDE';
const TIMEOUT_MS = 180_000;

/** Whether this is the run in namespaces. */
export const isInside = (): boolean => process.env[INSIDE] !== undefined;

/**
 * Runs `inside`, which declares tests, in network and mount namespaces of its own: the file runs itself again in them, and they
 * go away with it. Everything is one test of the file that runs outside.
 */
export function inNamespaces(
  name: string,
  skip: string | false,
  file: string,
  inside: () => void,
  timeoutMs = TIMEOUT_MS,
): void {
  if (isInside()) {
    inside();
    return;
  }
  test(`${name}, in a namespace of their own`, { skip, timeout: timeoutMs }, () => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--net', '--mount', '--', process.execPath, '--test-reporter=spec', file],
      { env: { ...env, [INSIDE]: '1' }, encoding: 'utf8', timeout: timeoutMs },
    );
    if (status !== 0) throw new Error(`status ${status}\n${stdout}\n${stderr}`);
    process.stdout.write(stdout);
  });
}
