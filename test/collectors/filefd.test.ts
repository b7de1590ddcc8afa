import assert from 'node:assert/strict';
import { test } from 'node:test';
import filefd, { parseFileNr } from '../../src/collectors/filefd.ts';
import { ParseError } from '../../src/core/errors.ts';
import { golden } from '../helpers/scrape.ts';

test('parseFileNr reads the first and the third number', () => {
  assert.deepEqual(parseFileNr('1024\t0\t1631329\n'), { allocated: 1024, maximum: 1631329 });
});

for (const text of ['', '1024\t0\n', '1024 0 1631329\n', 'x\t0\t1\n', '1\t0\t-1\n'])
  test(`parseFileNr refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseFileNr(text), ParseError));

test('filefd: the fixtures scrape to the golden text', (t) => golden(t, filefd));
