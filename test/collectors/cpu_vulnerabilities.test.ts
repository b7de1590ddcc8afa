import assert from 'node:assert/strict';
import { test } from 'node:test';
import cpuVulnerabilities, { parseVulnerability } from '../../src/collectors/cpu_vulnerabilities.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { samplesIn } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

for (const [text, state, mitigation] of [
  ['Not affected\n', 'not affected', ''],
  ['not affected', 'not affected', ''],
  ['Vulnerable\n', 'vulnerable', ''],
  ['Vulnerable: Safe RET, no microcode\n', 'vulnerable', 'Safe RET, no microcode'],
  ['Vulnerable, BHI: Vulnerable\n', 'vulnerable', 'BHI: Vulnerable'],
  ['Mitigation: PTI\n', 'mitigation', 'PTI'],
  ['Mitigation:  Retpolines;  STIBP: disabled\n', 'mitigation', 'Retpolines; STIBP: disabled'],
  ['Unknown: No mitigations\n', 'unknown', 'No mitigations'],
  ['KVM: Vulnerable\n', 'unknown', 'KVM: Vulnerable'],
  ['Processor vulnerable\n', 'unknown', 'Processor vulnerable'],
  ['', 'unknown', ''],
] as const)
  test(`parseVulnerability reads ${JSON.stringify(text)}`, () =>
    assert.deepEqual(parseVulnerability(text), { state, mitigation }));

test('cpu_vulnerabilities: the fixtures scrape to the golden text', (t) => golden(t, cpuVulnerabilities));

test('cpu_vulnerabilities has nothing to tell on a kernel without the folder', async (t) => {
  assert.deepEqual(await scrape(cpuVulnerabilities, { root: tree(t, {}) }), {
    text: '',
    success: true,
    error: undefined,
  });
});

test('cpu_vulnerabilities leaves out what is refused or empty', async (t) => {
  const at = 'sys/devices/system/cpu/vulnerabilities';
  const root = tree(t, { [`${at}/a`]: 'Not affected\n', [`${at}/b`]: 'Vulnerable\n', [`${at}/c`]: '\n' });
  const { text, success } = await scrape(cpuVulnerabilities, {
    root,
    disk: refusingDisk('EACCES', 'vulnerabilities/b'),
  });
  assert.deepEqual(samplesIn(text), [
    'node_cpu_vulnerabilities_info{codename="a",mitigation="",state="not affected"} 1',
  ]);
  assert.ok(success);
});
