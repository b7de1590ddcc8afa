import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before } from 'node:test';
import { lacksPackages, loudly, notRoot } from './debian.ts';
import { type Exporter, KEYHOLE, startExporter } from './exporter.ts';
import { parseExposition } from './exposition.ts';
import { threadsOf } from './threads.ts';

// Keyhole as executables with and without a capability, for the end-to-end tests that need root.

/** Why the tests cannot run here, or `false`. */
export const skip = loudly(notRoot() || lacksPackages('util-linux', 'mount', 'libcap2-bin'));

/** Runs what follows as user 65534, who has nothing. */
export const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] as const;
/** The counters that every machine has. */
export const ONLY_PERF = [
  '--collector.disable-defaults',
  '--collector.perf',
  '--collector.perf.disable-hardware-profilers',
  '--collector.perf.disable-cache-profilers',
] as const;
const ONLINE = readFileSync('/sys/devices/system/cpu/online', 'latin1').trim();

export type FileCapability = 'none' | 'p' | 'ep';
export const FILES: readonly FileCapability[] = ['none', 'p', 'ep'];

/** Where the copies are, with a capability each; users may enter it. */
export let folder = '';

/** The program, or the interpreter that runs it, with this capability in its file. */
export const command = (capability: FileCapability, at = folder): string[] => [
  join(at, `keyhole-${capability}`),
  ...KEYHOLE.slice(1),
];

if (skip === false) {
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'keyhole-privilege-'));
    chmodSync(folder, 0o755);
    for (const capability of FILES) {
      const file = join(folder, `keyhole-${capability}`);
      copyFileSync(KEYHOLE[0] as string, file);
      chmodSync(file, 0o755);
      if (capability !== 'none') execFileSync('setcap', [`cap_perfmon=${capability}`, file]);
    }
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
}

export interface Outcome {
  readonly counters: boolean;
  readonly stage: string;
  readonly mode: string;
}

/** Every CPU has its counter, or the collector says that it failed; nothing between. */
export function outcomeOf(body: string): Outcome {
  const families = parseExposition(body);
  const success = families.get('node_scrape_collector_success')?.samples.get('{collector="perf"}');
  const counters = families.get('node_perf_context_switches_total')?.samples.size ?? 0;
  assert.equal(success, counters > 0 ? 1 : 0);
  if (counters > 0) assert.equal(`0-${counters - 1}`.replace(/^0-0$/, '0'), ONLINE, 'the CPUs that are counted');
  const [info = ''] = families.get('keyhole_privilege_info')?.samples.keys() ?? [];
  const [, mode = '', stage = ''] = /mode="(\w+)".*stage="(\w+)"/.exec(info) ?? [];
  return { counters: counters > 0, stage, mode };
}

/** Starts, scrapes once, looks at every thread, ends. Whatever happens, the process must serve. */
export async function run(wrapped: readonly string[], args: readonly string[] = ONLY_PERF): Promise<Outcome> {
  const exporter = await startExporter(wrapped, args);
  try {
    const outcome = outcomeOf(await exporter.scrape());
    if (outcome.mode === 'sealed') assertHarmless(exporter, outcome.stage);
    return outcome;
  } finally {
    assert.equal(await exporter.stop(), 0, 'the exit status');
  }
}

/** No thread holds anything. */
export function assertHarmless({ child, log }: Exporter, stage: string): void {
  const threads = threadsOf(child.pid as number);
  assert.ok(threads.length > 1);
  for (const { permitted, effective, inheritable, ambient, noNewPrivs } of threads) {
    assert.deepEqual([permitted, effective, inheritable, ambient], [0n, 0n, 0n, 0n], log());
    if (stage === 'sealed') assert.equal(noNewPrivs, true);
  }
}
