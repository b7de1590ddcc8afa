import assert from 'node:assert/strict';
import { test } from 'node:test';
import drm from '../../src/collectors/drm.ts';
import { ParseError } from '../../src/core/errors.ts';
import { refusingDisk } from '../helpers/disk.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const UEVENT = 'DRIVER=amdgpu\nPCI_CLASS=30000\n';

test('drm: the fixtures scrape to the golden text', (t) => golden(t, drm));

test('without cards there is nothing, and that is no failure', async (t) => {
  assert.deepEqual(await scrape(drm, { root: tree(t, {}) }), { text: '', success: true, error: undefined });
});

test('what a card does not tell is left out', async (t) => {
  const root = tree(t, {
    'sys/class/drm/card12/device/uevent': UEVENT,
    'sys/class/drm/card12/device/mem_info_vram_total': '4096\n',
  });
  const { text } = await scrape(drm, { root });
  assert.equal(
    text.replaceAll(/^#.*\n/gm, ''),
    'node_drm_card_info{card="card12",memory_vendor="",power_performance_level="",unique_id="",vendor="amd"} 1\nnode_drm_memory_vram_size_bytes{card="card12"} 4096\n',
  );
});

test('another driver, a connector and a card without a device are passed over', async (t) => {
  const root = tree(t, {
    'sys/class/drm/card0/device/uevent': 'DRIVER=amdgpu_not\n',
    'sys/class/drm/card0-DP-1/device/uevent': UEVENT,
    'sys/class/drm/card1/dev': '226:1\n',
  });
  assert.equal((await scrape(drm, { root })).text, '');
});

test('a value that is no number costs itself alone', async (t) => {
  const root = tree(t, {
    'sys/class/drm/card0/device/uevent': UEVENT,
    'sys/class/drm/card0/device/gpu_busy_percent': 'much\n',
    'sys/class/drm/card0/device/mem_info_gtt_used': '7\n',
  });
  const { text, error } = await scrape(drm, { root });
  assert.ok(error instanceof ParseError);
  assert.match(error.message, /card0\/device\/gpu_busy_percent.*much/);
  assert.match(text, /gtt_used_bytes\{card="card0"\} 7\n/);
});

for (const code of ['EPERM', 'EBUSY', 'ENODEV'])
  test(`a card that answers ${code} for its load has the rest`, async () => {
    const { text, success } = await scrape(drm, { disk: refusingDisk(code, 'gpu_busy_percent') });
    assert.ok(success);
    assert.doesNotMatch(text, /busy/);
    assert.match(text, /vram_used/);
  });
