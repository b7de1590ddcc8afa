// A service under a real runsv: what Keyhole says of it beside what runit's own sv(8) says.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type Exporter, startExporter } from '../helpers/exporter.ts';
import { parseExposition } from '../helpers/exposition.ts';

const skip = loudly(notRoot() || lacksPackages('runit'));

describe('runit', { skip }, () => {
  const services = mkdtempSync(join(tmpdir(), 'keyhole-runit-'));
  const service = join(services, 'sleeper');
  let runsv: ChildProcess;
  let exporter: Exporter;

  const sv = (...args: readonly string[]): string => {
    try {
      return execFileSync('sv', [...args, service], { encoding: 'utf8' });
    } catch (error) {
      // `sv status` of a service that is down has an exit status of its own.
      return String((error as { stdout?: string }).stdout);
    }
  };

  const tell = async (name: string): Promise<number | undefined> =>
    parseExposition(await exporter.scrape())
      .get(`node_service_${name}`)
      ?.samples.get('{service="sleeper",supervisor="runit"}');

  before(async () => {
    mkdirSync(service);
    writeFileSync(join(service, 'run'), '#!/bin/sh\nexec sleep 1000\n');
    writeFileSync(join(service, 'finish'), '#!/bin/sh\nwhile [ -e hold ]; do sleep 0.1; done\n');
    writeFileSync(join(service, 'hold'), '');
    for (const script of ['run', 'finish']) chmodSync(join(service, script), 0o755);
    runsv = spawn('runsv', [service], { stdio: 'ignore' });
    for (let tries = 0; tries < 250 && !existsSync(join(service, 'supervise/status')); tries += 1) await delay(20);
    exporter = await startExporter(undefined, [
      '--collector.disable-defaults',
      '--collector.runit',
      `--collector.runit.servicedir=${services}`,
    ]);
  });

  after(async () => {
    await exporter?.stop();
    if (runsv !== undefined) {
      const ended = once(runsv, 'exit');
      rmSync(join(service, 'hold'), { force: true });
      sv('-w', '0', 'exit');
      await Promise.race([ended, delay(5000)]);
      runsv.kill('SIGKILL');
    }
    rmSync(services, { recursive: true, force: true });
  });

  const waitFor = async (state: number): Promise<void> => {
    for (let tries = 0; tries < 250 && (await tell('state')) !== state; tries += 1) await delay(20);
    assert.equal(await tell('state'), state, sv('status'));
  };

  test('a service that runs is up, wanted and starts by itself', async () => {
    await waitFor(1);
    assert.match(sv('status'), /^run: /);
    assert.equal(await tell('desired_state'), 1);
    assert.equal(await tell('normal_state'), 1);
    const changed = await tell('state_last_change_timestamp_seconds');
    const [, seconds] = /\) (\d+)s/.exec(sv('status')) ?? [];
    assert.ok(Math.abs(Date.now() / 1000 - Number(changed) - Number(seconds)) < 3, `${changed}, ${seconds}`);
  });

  test('a file `down` makes it one that does not start by itself', async () => {
    writeFileSync(join(service, 'down'), '');
    assert.match(sv('status'), /normally down/);
    assert.equal(await tell('normal_state'), 0);
    rmSync(join(service, 'down'));
    assert.equal(await tell('normal_state'), 1);
  });

  test('a service that is told to end finishes, and then is down', async () => {
    sv('-w', '0', 'down');
    await waitFor(2);
    assert.match(sv('status'), /^finish: /);
    assert.equal(await tell('desired_state'), 0);
    rmSync(join(service, 'hold'));
    await waitFor(0);
    assert.match(sv('status'), /^down: /);
  });
});
