// Wireless devices and a network card with link modes, in a guest whose radios are the kernel's own mac80211_hwsim: an access point
// with a client, an ad-hoc network, a monitor. Keyhole beside the newest node_exporter of Debian.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { loudly, newestReference } from '../helpers/debian.ts';
import { MODULES, type Seen, SSID } from '../helpers/guest/radios.ts';
import { lacksGuest, runGuest } from '../helpers/guest.ts';

const PACKAGES = ['iw', 'hostapd', 'libnl-3-200', 'libnl-genl-3-200', 'libnl-route-3-200', 'libssl3'];
const TIMEOUT_MS = 180_000;

/** What moves up and down. */
const MOVES = /_(inactive_seconds|bits_per_second)\{|_ethtool_(signal|noise|\w*rate)\{/;
/** What 1.11.1 calls unknown is known. */
const AD_HOC =
  /^node_wifi_station_info\{bssid="02:ca:ff:ee:ba:be",device="wlan[23]",mode="(unknown|ad-hoc)",ssid="adhoc"\}$/;

interface Results {
  readonly before: Seen;
  readonly reference?: Seen;
  readonly after: Seen;
  readonly log: string;
  readonly status: number;
}

const reference =
  process.arch === 'x64' ? newestReference() : { lacks: `the guest is x64, this machine is ${process.arch}` };
const skip = loudly(lacksGuest('x64'));
const skipReference =
  skip === false ? loudly('lacks' in reference && `wifi beside node_exporter: ${reference.lacks}`) : skip;

/** Asked for once, for all tests. */
const results = (async (): Promise<Results | undefined> => {
  if (skip !== false) return undefined;
  const files =
    'path' in reference ? [{ path: 'bin/node_exporter', mode: 0o100755, data: readFileSync(reference.path) }] : [];
  const found = await runGuest({
    arch: 'x64',
    scenario: 'helpers/guest/wifi.ts',
    cpus: 2,
    options: ['-nic', 'user,model=e1000'],
    packages: PACKAGES,
    modules: Object.keys(MODULES),
    files,
    timeoutMs: TIMEOUT_MS,
  });
  return found as unknown as Results;
})();

test('wireless devices, networks and stations of a real kernel are reported', { skip }, async () => {
  const { after, log, status } = (await results) as Results;
  const value = (family: string, labels: string): number | undefined =>
    after[`node_wifi_${family}`]?.samples[`{${labels}}`];
  const ssid = SSID.replaceAll('"', '\\"');
  const access = '02:00:00:00:00:00';
  assert.equal(value('station_info', `bssid="${access}",device="wlan1",mode="client",ssid="${ssid}"`), 1);
  for (const device of ['wlan2', 'wlan3'])
    assert.equal(value('station_info', `bssid="02:ca:ff:ee:ba:be",device="${device}",mode="ad-hoc",ssid="adhoc"`), 1);
  assert.equal(value('interface_frequency_hertz', 'device="wlan0"'), 2_412_000_000);
  assert.equal(value('interface_frequency_hertz', 'device="wlan3"'), 2_437_000_000);
  const there = `device="wlan1",mac_address="${access}"`;
  // What mac80211_hwsim simulates.
  assert.equal(value('station_signal_dbm', there), -30);
  for (const family of ['receive_bytes_total', 'transmitted_packets_total', 'connected_seconds_total'])
    assert.ok((value(`station_${family}`, there) ?? 0) > 0, family);
  assert.doesNotMatch(log, /level=ERROR/);
  assert.equal(status, 0);
});

test('an emulated network card has the link modes of its hardware', { skip }, async () => {
  const { after } = (await results) as Results;
  assert.equal(after['node_network_supported_port_info']?.samples['{device="eth0",type="TP"}'], 1);
  assert.deepEqual(
    Object.values(after['node_network_supported_speed_bytes']?.samples ?? {}).sort(),
    [1_250_000, 1_250_000, 12_500_000, 12_500_000, 125_000_000],
  );
});

/** Whether the reference, which was asked between, can have seen this. */
const fits = (value: number, first: number | undefined, last: number | undefined): boolean =>
  first !== undefined && last !== undefined && value >= Math.min(first, last) && value <= Math.max(first, last);

test('beside the newest node_exporter every series is the same that the kernel gives', {
  skip: skipReference,
}, async (t) => {
  const { before, reference: theirs = {}, after } = (await results) as Results;
  const faults: string[] = [];
  let compared = 0;
  for (const [name, { type, samples }] of Object.entries(theirs)) {
    const [first, last] = [before[name], after[name]];
    if (last?.type !== type) faults.push(`${name} is a ${last?.type}, not a ${type}`);
    for (const [labels, value] of Object.entries(samples)) {
      const series = `${name}${labels}`;
      const [a, b] = [first?.samples[labels], last?.samples[labels]];
      // Of what the driver does not give 1.11.1 makes a zero.
      const isMadeUp = /^node_wifi_/.test(name) && value === 0 && b === undefined;
      if (!isMadeUp && !AD_HOC.test(series) && !(MOVES.test(series) && b !== undefined) && !fits(value, a, b))
        faults.push(`${series} is ${value}, ours ${a} and ${b}`);
      compared += 1;
    }
  }
  for (const [name, { samples }] of Object.entries(after))
    for (const labels of Object.keys(samples))
      if (theirs[name]?.samples[labels] === undefined && !AD_HOC.test(`${name}${labels}`))
        faults.push(`${name}${labels} is too much`);
  t.diagnostic(`${compared} samples of ${Object.keys(theirs).length} families`);
  assert.deepEqual(faults, []);
  assert.ok(compared > 150, `only ${compared} samples`);
});
