// Runs inside a guest with Debian's own kernel: what the doctor says to nobody with CAP_PERFMON at each level.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { tell } from './inside.ts';

const NODE = '/tmp/node';
const LEVEL = '/proc/sys/kernel/perf_event_paranoid';
const NOBODY = 65534;

function doctor(): object {
  const argv = ['--disable-warning=ExperimentalWarning', '/keyhole.cjs', 'doctor', '--json'];
  const { status, stdout } = spawnSync(NODE, argv, { uid: NOBODY, gid: NOBODY, encoding: 'utf8' });
  const { works, reason, why, changes } = JSON.parse(stdout);
  return { status, works, reason, why, changes };
}

const initial = readFileSync(LEVEL, 'utf8').trim();
copyFileSync(process.execPath, NODE);
chmodSync(NODE, 0o755);
const levels: Record<string, object> = {};
for (const level of ['3', '2', '0']) {
  writeFileSync(LEVEL, level);
  levels[`none at ${level}`] = doctor();
}
execFileSync('setcap', ['cap_perfmon=p', NODE]);
for (const level of [initial, '2']) {
  writeFileSync(LEVEL, level);
  levels[`perfmon at ${level}`] = doctor();
}
tell({ initial, levels });
