import { test } from 'node:test';
import filefd from '../../src/collectors/filefd.ts';
import { testFile } from '../helpers/odd.ts';
import { golden } from '../helpers/scrape.ts';

test('filefd: the fixtures scrape to the golden text', (t) => golden(t, filefd));

testFile(filefd, 'proc/sys/fs/file-nr', [
  [
    'the first and the third number',
    '1024\t0\t1631329\n',
    ['node_filefd_allocated 1024', 'node_filefd_maximum 1.631329e+06'],
  ],
  // The kernel writes tabs; blanks do no harm.
  ['blanks', '1024 0 1631329\n', ['node_filefd_allocated 1024', 'node_filefd_maximum 1.631329e+06']],
  ['an empty file', '', [], ''],
  ['two numbers', '1024\t0\n', [], '1024\t0'],
  ['what is not a number', 'x\t0\t1\n', [], 'x\t0\t1'],
  ['a negative number', '1\t0\t-1\n', [], '1\t0\t-1'],
]);
