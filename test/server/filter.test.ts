import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFilter } from '../../src/server/filter.ts';

const known = { enabled: ['cpu', 'loadavg', 'stat'], disabled: ['ntp'] };
const failed = "Couldn't create filtered metrics handler: couldn't create collector: ";

for (const [query, expected] of [
  ['', { collectors: undefined, families: undefined }],
  ['collect[]=stat&collect[]=cpu&collect[]=stat', { collectors: ['cpu', 'stat'], families: undefined }],
  ['collect%5B%5D=cpu', { collectors: ['cpu'], families: undefined }],
  ['exclude[]=cpu&exclude[]=nonsense', { collectors: ['loadavg', 'stat'], families: undefined }],
  ['exclude[]=cpu&exclude[]=stat&exclude[]=loadavg', { collectors: [], families: undefined }],
  ['name[]=node_load1&name[]=x&collect[]=cpu', { collectors: ['cpu'], families: new Set(['node_load1', 'x']) }],
  ['collect[]=cpu&exclude[]=stat', 'Combined collect and exclude queries are not allowed.'],
  ['collect[]=ntp', `${failed}disabled collector: ntp`],
  ['collect[]=cpu&collect[]=nope', `${failed}missing collector: nope`],
  ['collect[]=', `${failed}missing collector: `],
] as const)
  test(`parseFilter ${query}`, () => assert.deepEqual(parseFilter(new URLSearchParams(query), known), expected));
