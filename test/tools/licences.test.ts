import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { test } from 'node:test';
import { nodeOf } from '../../tools/build.ts';
import { licences } from '../../tools/licences.ts';

const { dependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  dependencies: Record<string, string>;
};

test('the licences are those of every dependency at its version, and of Node.js', () => {
  const text = licences(nodeOf(process.arch));
  const titles = [...text.matchAll(/^={80}\n(\S+ \S+).*\n={80}$/gm)].map(([, title]) => title);
  const wanted = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`);
  assert.deepEqual(titles, [...wanted.sort(), `Node.js ${process.versions.node}`]);
  // One sentence of each kind of licence that is in it.
  for (const sentence of [
    /Permission is hereby granted, free of charge/,
    /Redistributions in binary form must reproduce/,
    /Permission to use, copy, modify, and\/or distribute/,
    /Node\.js is licensed for use as follows/,
  ])
    assert.match(text, sentence);
});
