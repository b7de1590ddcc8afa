import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { argumentFiles, commandLineTokens } from '../../src/core/command_line.ts';
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
  assert.throws(() => tokens(`@${path}`), /more than 100 argument files/);
});

test('argument files are those of the command line and those in them', (t) => {
  const folder = tree(t, { inner: '--b\n' });
  const [outer, inner] = [join(folder, 'outer'), join(folder, 'inner')];
  writeFileSync(outer, `--a\n@${inner}\n`);
  assert.deepEqual(argumentFiles(['--c', `@${outer}`, '--', '@none']), [outer, inner]);
});
