// Runs inside a guest with simulated radios and an emulated network card: what Keyhole and the reference say of them.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type Keyhole, startExporter, tell } from './inside.ts';
import { MODULES, type Seen, SSID } from './radios.ts';

const ACCESS_POINT = `interface=wlan0
driver=nl80211
ssid=${SSID}
hw_mode=g
channel=1
`;
const ARGS = ['--collector.wifi', '--collector.ethtool'];
const REFERENCE = '/bin/node_exporter';
const TRIES = 300;

const run = (...command: readonly [string, ...string[]]): string =>
  execFileSync(command[0], command.slice(1), { encoding: 'utf8' });

/** Polls until a command says this. */
async function until(wanted: RegExp, ...command: readonly [string, ...string[]]): Promise<string> {
  for (let tries = 0; ; tries += 1) {
    const { stdout, stderr } = spawnSync(command[0], command.slice(1), { encoding: 'utf8' });
    if (wanted.test(stdout)) return stdout;
    if (tries > TRIES) throw new Error(`${command.join(' ')} says ${stdout}${stderr}`);
    await delay(100);
  }
}

/** A network with a centre and who belongs to it, a network without one, and a device that only listens. */
async function furnish(): Promise<void> {
  for (const [name, options] of Object.entries(MODULES)) run('insmod', `/modules/${name}.ko`, ...options);
  await until(/wlan3/, 'ip', 'link');
  writeFileSync('/tmp/ap.conf', ACCESS_POINT);
  spawn('hostapd', ['/tmp/ap.conf'], { stdio: 'ignore' });
  await until(/ssid keyhole/, 'iw', 'dev', 'wlan0', 'info');
  run('ip', 'link', 'set', 'wlan1', 'up');
  run('iw', 'dev', 'wlan1', 'connect', SSID);
  for (const device of ['wlan2', 'wlan3']) {
    run('iw', 'dev', device, 'set', 'type', 'ibss');
    run('ip', 'link', 'set', device, 'up');
    run('iw', 'dev', device, 'ibss', 'join', 'adhoc', '2437', 'fixed-freq', '02:ca:ff:ee:ba:be');
  }
  run('iw', 'dev', 'wlan0', 'interface', 'add', 'mon0', 'type', 'monitor');
  await until(/Connected to/, 'iw', 'dev', 'wlan1', 'link');
  await until(/Joined IBSS/, 'iw', 'dev', 'wlan2', 'link');
  await until(/Station/, 'iw', 'dev', 'wlan0', 'station', 'dump');
}

async function samplesOf(exporter: Keyhole): Promise<Seen> {
  const families = [...(await exporter.scrape())].filter(([name]) => /^node_(wifi|network|ethtool)_/.test(name));
  return Object.fromEntries(
    families.map(([name, { type, samples }]) => [name, { type, samples: Object.fromEntries(samples) }]),
  );
}

async function main(): Promise<void> {
  await furnish();
  const keyhole = await startExporter(9100, ARGS);
  tell({ before: await samplesOf(keyhole) });
  if (existsSync(REFERENCE)) {
    const reference = await startExporter(9101, ARGS, [REFERENCE]);
    tell({ reference: await samplesOf(reference) });
    await reference.stop();
  }
  tell({ after: await samplesOf(keyhole), log: keyhole.log(), status: await keyhole.stop() });
}

void main().finally(() => spawnSync('killall', ['hostapd']));
