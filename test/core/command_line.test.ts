import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLineTokens, withArgumentFiles } from '../../src/core/command_line.ts';
import { tree } from '../helpers/scrape.ts';

const tokens = (...argv: string[]): string[] => [...commandLineTokens(argv)].map(({ kind, text }) => `${kind}:${text}`);

test('a command line is split into flags and arguments', () => {
  assert.deepEqual(tokens('--a=b=c', '--d', 'e', '-fg', '--=x', '-ü'), [
    'long:a',
    'argument:b=c',
    'long:d',
    'argument:e',
    'short:f',
    'short:g',
    'long:',
    'argument:x',
    'short:ü',
  ]);
  assert.deepEqual(tokens('--', '--a', '@b', '--'), ['argument:--a', 'argument:@b', 'argument:--']);
});

test('an argument file that names itself comes to an end', (t) => {
  const path = join(tree(t, { args: '' }), 'args');
  writeFileSync(path, `--a\n@${path}\n`);
  assert.throws(() => withArgumentFiles([`@${path}`]), /more than 100 argument files/);
});

test('an argument file stands for the arguments in it, and in those that it names', (t) => {
  const folder = tree(t, { inner: '--b\r\n', nested: '@nowhere\n' });
  const [outer, inner, nested] = ['outer', 'inner', 'nested'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(outer, `# a comment\n\n--a\n/a b\n@${inner}\n--d=@e`);
  const all = ['--a', '/a b', '--b', '--d=@e'];
  assert.deepEqual(withArgumentFiles(['--c', `@${outer}`, '-x']), ['--c', ...all, '-x']);
  assert.deepEqual(withArgumentFiles(['--', `@${outer}`]), ['--', `@${outer}`]);
  assert.throws(() => withArgumentFiles([`@${nested}`]), /failed to open arguments file "nowhere"/);
  assert.throws(() => withArgumentFiles(['@']), /expected @ file/);
});
