import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter, parseQuery } from '../../src/server/filter.ts';

const known = { enabled: ['cpu', 'loadavg', 'stat'], disabled: ['ntp'] };
const failed = "Couldn't create filtered metrics handler: couldn't create collector: ";

for (const [query, expected] of [
  ['', { collectors: undefined, families: undefined }],
  ['collect[]=stat&collect[]=cpu&collect[]=stat', { collectors: ['cpu', 'stat'], families: undefined }],
  ['collect%5B%5D=cpu', { collectors: ['cpu'], families: undefined }],
  ['exclude[]=cpu&exclude[]=nonsense', { collectors: ['loadavg', 'stat'], families: undefined }],
  ['exclude[]=cpu&exclude[]=stat&exclude[]=loadavg', { collectors: [], families: undefined }],
  ['name[]=node_load1&name[]=x&collect[]=cpu', { collectors: ['cpu'], families: new Set(['node_load1', 'x']) }],
  // Pairs that Go cannot read.
  ['collect[]=nope;x&collect[]=%zz&collect%=nope&collect[]=cpu', { collectors: ['cpu'], families: undefined }],
  ['collect[]=cpu&exclude[]=stat', 'Combined collect and exclude queries are not allowed.'],
  ['collect[]=ntp', `${failed}disabled collector: ntp`],
  ['collect[]=cpu&collect[]=nope', `${failed}missing collector: nope`],
  ['collect[]=', `${failed}missing collector: `],
] as const)
  test(`parseFilter ${query}`, () => assert.deepEqual(parseFilter(parseQuery(query), known), expected));
