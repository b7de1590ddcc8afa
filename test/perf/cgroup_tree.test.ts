import assert from 'node:assert/strict';
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { compilePattern } from '../../src/core/pattern.ts';
import { openCgroupFolders } from '../../src/perf/cgroup_folder.ts';
import { cgroupLabel, chooseCgroups, findCgroups, findCgroupTree, VISITED_MAX } from '../../src/perf/cgroup_tree.ts';
import { openTree } from '../../src/source/source.ts';
import { bytesTree, tree } from '../helpers/scrape.ts';

const PODS = 'kubepods.slice/kubepods-burstable.slice';

function cgroups(t: TestContext, ...paths: readonly string[]): string {
  const root = tree(t, { 'cgroup.procs': '' });
  for (const path of paths) mkdirSync(join(root, path), { recursive: true });
  return root;
}

test('the tree: the perf_event hierarchy where there is one, else version 2, alone or beside version 1', (t) => {
  const [v1, v2, hybrid] = ['perf_event', '.', 'unified'].map((place) => `sys/fs/cgroup/${place}/cgroup.procs`);
  const found = (...files: readonly (string | undefined)[]): string | undefined => {
    const root = tree(t, Object.fromEntries([...files, 'sys/x'].map((file) => [file ?? '', ''])));
    return findCgroupTree(openTree(`${root}/sys`))?.slice(root.length);
  };
  assert.equal(found(v1, hybrid), '/sys/fs/cgroup/perf_event');
  assert.equal(found(v2), '/sys/fs/cgroup');
  assert.equal(found(hybrid), '/sys/fs/cgroup/unified');
  assert.equal(found(), undefined);
});

test('what is wanted, down to a depth, parents first', (t) => {
  const root = cgroups(t, `${PODS}/pod1/c1`, `${PODS}/pod1/c2`, 'system.slice/ssh.service', 'a/b/c/d/e');
  const find = (pattern: string, depth: number) => findCgroups(root, compilePattern(pattern), depth).paths;
  assert.deepEqual(find('', 1), ['a', 'kubepods.slice', 'system.slice']);
  assert.deepEqual(find('^/a', 3), ['a', 'a/b', 'a/b/c']);
  assert.deepEqual(find('^/kubepods.slice/.*/pod', 4), [`${PODS}/pod1`, `${PODS}/pod1/c1`, `${PODS}/pod1/c2`]);
  assert.deepEqual(find('nothing', 4), []);
  assert.deepEqual(findCgroups(join(root, 'gone'), compilePattern(''), 4), { paths: [], isCut: false });
  assert.equal(cgroupLabel('system.slice/ssh.service'), '/system.slice/ssh.service');
});

test('a tree that somebody has filled is looked at in part', (t) => {
  const root = cgroups(t);
  const find = () => findCgroups(root, compilePattern(''), 1);
  for (let i = 0; i < VISITED_MAX; i += 1) mkdirSync(join(root, String(i)));
  assert.deepEqual([find().paths.length, find().isCut], [VISITED_MAX, false]);
  mkdirSync(join(root, 'more'));
  assert.deepEqual([find().paths.length, find().isCut], [VISITED_MAX, true]);
});

test('those that are counted stay when others come before them; one at the same path is another', (t) => {
  const root = cgroups(t, 'b', 'c');
  const choose = (counted: Parameters<typeof chooseCgroups>[2], max = 2) =>
    chooseCgroups(root, findCgroups(root, compilePattern(''), 1).paths, counted, max).chosen;
  const first = choose([]);
  assert.deepEqual(
    first.map(({ path }) => path),
    ['b', 'c'],
  );
  mkdirSync(join(root, 'a'));
  assert.deepEqual(choose(first), first);
  rmSync(join(root, 'b'), { recursive: true });
  assert.deepEqual(
    choose(first).map(({ path }) => path),
    ['c', 'a'],
  );
  // Made before the old one goes, so that it cannot have its number.
  mkdirSync(join(root, 'x'));
  rmSync(join(root, 'c'), { recursive: true });
  renameSync(join(root, 'x'), join(root, 'c'));
  const [other] = choose(first, 9).filter(({ path }) => path === 'c');
  assert.notEqual(other?.inode, first[1]?.inode);
});

test('left out is what is there beyond the maximum, and never what has gone since it was listed', (t) => {
  const root = cgroups(t, 'a', 'b', 'c');
  const leftOut = (paths: readonly string[], max: number) => chooseCgroups(root, paths, [], max).leftOut;
  assert.equal(leftOut(['a', 'gone', 'b', 'c'], 9), 0);
  assert.equal(leftOut(['a', 'gone', 'b', 'c', 'gone too'], 3), 0);
  assert.equal(leftOut(['a', 'b', 'gone', 'c'], 2), 1);
  assert.equal(leftOut(['a', 'b', 'c'], 1), 2);
});

test('only a tree of cgroups is one', (t) => {
  assert.throws(() => openCgroupFolders(cgroups(t)), /is no tree of cgroups/);
});

test('a cgroup may be called anything, and so may the folders above the tree', (t) => {
  const names = ['caf\xc3\xa9', 'caf\xe9', 'caf\xe9/below'];
  const root = bytesTree(t, Object.fromEntries(names.map((name) => [`${name}/cgroup.procs`, ''])), 'ré日本');
  const find = (pattern: string) => findCgroups(root, compilePattern(pattern), 2).paths;
  assert.deepEqual(find(''), names);
  assert.deepEqual(find('^/café$'), ['caf\xc3\xa9'], 'what is wanted is said in text');
  assert.deepEqual(names.map(cgroupLabel), ['/café', '/caf\ufffd', '/caf\ufffd/below']);
  assert.deepEqual(
    chooseCgroups(root, find(''), [], 9).chosen.map(({ path }) => path),
    names,
  );
});
