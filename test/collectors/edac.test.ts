import assert from 'node:assert/strict';
import { test } from 'node:test';
import edac from '../../src/collectors/edac.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const MC = 'sys/devices/system/edac/mc';
const counts = (folder: string): Record<string, string> =>
  Object.fromEntries(
    ['ce_count', 'ce_noinfo_count', 'ue_count', 'ue_noinfo_count'].map((name) => [`${folder}/${name}`, '0\n']),
  );

test('edac: the fixtures scrape to the golden text', (t) => golden(t, edac));

test('edac gives nothing, and succeeds, where there are no controllers', async (t) => {
  for (const file of ['sys/devices/system/x', `${MC}/uevent`]) {
    const { text, success } = await scrape(edac, { root: tree(t, { [file]: '' }) });
    assert.deepEqual([text, success], ['', true]);
  }
});

test('edac calls a channel without a label unknown', async (t) => {
  const root = tree(t, {
    ...counts(`${MC}/mc3`),
    [`${MC}/mc3/csrow12/ce_count`]: '4\n',
    [`${MC}/mc3/csrow12/ue_count`]: '0\n',
    [`${MC}/mc3/csrow12/ch10_ce_count`]: '4\n',
  });
  const { text, success } = await scrape(edac, { root });
  assert.equal(success, true);
  assert.match(text, /_correctable_errors_total{channel="10",controller="3",csrow="12",dimm_label="unknown"} 4\n/);
  assert.doesNotMatch(text, /channel_uncorrectable/);
});

for (const [why, text] of [
  ['lacks', undefined],
  ['gives no number in', 'x\n'],
] as const)
  test(`edac: a file that a controller ${why} costs itself alone`, async (t) => {
    const { [`${MC}/mc0/ce_count`]: _, ...rest } = counts(`${MC}/mc0`);
    const files = text === undefined ? rest : { ...rest, [`${MC}/mc0/ce_count`]: text };
    const scraped = await scrape(edac, { root: tree(t, { ...files, ...counts(`${MC}/mc1`) }) });
    assert.equal(scraped.success, text === undefined);
    assert.match(scraped.text, /^node_edac_correctable_errors_total{controller="1"} 0$/m);
    assert.match(scraped.text, /^node_edac_uncorrectable_errors_total{controller="0"} 0$/m);
    assert.doesNotMatch(scraped.text, /^node_edac_correctable_errors_total{controller="0"}/m);
  });
