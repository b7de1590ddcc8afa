import assert from 'node:assert/strict';
import { test } from 'node:test';
import nvme from '../../src/collectors/nvme.ts';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('nvme: the fixtures scrape to the golden text', (t) => golden(t, nvme));

const controller = (name: string): Record<string, string> =>
  Object.fromEntries(
    ['firmware_rev', 'model', 'serial', 'state', 'cntlid'].map((file) => [`sys/class/nvme/${name}/${file}`, 'x\n']),
  );

test('without controllers there is nothing', async (t) => {
  assert.ok((await scrape(nvme, { root: tree(t, {}) })).error instanceof NoDataError);
});

test('a controller that lacks something leaves the others told', async (t) => {
  const { 'sys/class/nvme/nvme0/state': _, ...lacking } = controller('nvme0');
  const { text, error } = await scrape(nvme, { root: tree(t, { ...lacking, ...controller('nvme1') }) });
  assert.equal(error, undefined);
  assert.match(text, /node_nvme_info\{cntlid="x",device="nvme1",.*state="x"\} 1/);
  assert.match(text, /node_nvme_info\{cntlid="x",device="nvme0",.*state=""\} 1/);
});

test('the path to a namespace that controllers share counts as one; a size counts 512 bytes', async (t) => {
  const at = 'sys/class/nvme/nvme0';
  const root = tree(t, {
    ...controller('nvme0'),
    [`${at}/nvme0c1n3/size`]: '8\n',
    [`${at}/nvme0n7/size`]: '16\n',
    [`${at}/nvme0n7/nuse`]: '1\n',
    [`${at}/nvme0n7/queue/logical_block_size`]: '4096\n',
  });
  const { text, success } = await scrape(nvme, { root });
  assert.ok(success);
  assert.deepEqual(text.match(/^node_nvme_namespace.*$/gm), [
    'node_nvme_namespace_capacity_bytes{device="nvme0",nsid="3"} 4096',
    'node_nvme_namespace_capacity_bytes{device="nvme0",nsid="7"} 8192',
    'node_nvme_namespace_info{ana_state="unknown",device="nvme0",nsid="3"} 1',
    'node_nvme_namespace_info{ana_state="unknown",device="nvme0",nsid="7"} 1',
    'node_nvme_namespace_logical_block_size_bytes{device="nvme0",nsid="7"} 4096',
    'node_nvme_namespace_size_bytes{device="nvme0",nsid="3"} 4096',
    'node_nvme_namespace_size_bytes{device="nvme0",nsid="7"} 8192',
    'node_nvme_namespace_used_bytes{device="nvme0",nsid="7"} 4096',
  ]);
});

test('an old kernel does not tell how much is in use; the rest is told', async (t) => {
  const at = 'sys/class/nvme/nvme0/nvme0n1';
  const files = { [`${at}/size`]: '16\n', [`${at}/queue/logical_block_size`]: '512\n' };
  const { text, success } = await scrape(nvme, { root: tree(t, { ...controller('nvme0'), ...files }) });
  assert.ok(success);
  assert.match(text, /node_nvme_namespace_size_bytes\{device="nvme0",nsid="1"\} 8192\n/);
  assert.doesNotMatch(text, /used_bytes/);
});

test('a size that is no number is a fault', async (t) => {
  const at = 'sys/class/nvme/nvme0/nvme0n1';
  const files = { [`${at}/size`]: 'x\n', [`${at}/nuse`]: '1\n', [`${at}/queue/logical_block_size`]: '512\n' };
  const { error } = await scrape(nvme, { root: tree(t, { ...controller('nvme0'), ...files }) });
  assert.ok(error instanceof ParseError);
});
