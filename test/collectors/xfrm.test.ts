import assert from 'node:assert/strict';
import { test } from 'node:test';
import xfrm from '../../src/collectors/xfrm.ts';
import { samplesIn, testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

test('xfrm: the fixtures scrape to the golden text', (t) => golden(t, xfrm));

const KNOWN = Object.values(xfrm.metrics).map(({ name }) => name);
/** What is written where the file names only these; others are 0, but for those in `odd`. */
const withNumbers = (numbers: Readonly<Record<string, number>>, odd: readonly string[] = []): string[] =>
  KNOWN.filter((name) => !odd.includes(name))
    .sort()
    .map((name) => `${name} ${numbers[name] ?? 0}`);

const IN_ERROR = 'node_xfrm_in_error_packets_total';
const NO_STATES = 'node_xfrm_in_no_states_packets_total';

testFile(xfrm, 'proc/net/xfrm_stat', [
  ['what a kernel does not count is 0', 'XfrmInError \t 3\n', withNumbers({ [IN_ERROR]: 3 })],
  ['a name that is new to us', 'XfrmNew 4\nXfrmInError 3\n', withNumbers({ [IN_ERROR]: 3 })],
  ['an empty line', '\nXfrmInError 3\n', withNumbers({ [IN_ERROR]: 3 })],
  [
    'a line without a number',
    'XfrmInNoStates\nXfrmInError 3\n',
    withNumbers({ [IN_ERROR]: 3 }, [NO_STATES]),
    'XfrmInNoStates',
  ],
  [
    'a line with two',
    'XfrmInNoStates 1 2\nXfrmInError 3\n',
    withNumbers({ [IN_ERROR]: 3 }, [NO_STATES]),
    'XfrmInNoStates 1 2',
  ],
  [
    'what is no number',
    'XfrmInNoStates x\nXfrmInError 3\n',
    withNumbers({ [IN_ERROR]: 3 }, [NO_STATES]),
    'XfrmInNoStates x',
  ],
]);

test('xfrm: there are 28 counters; without the file there is a fault', async (t) => {
  assert.equal(samplesIn((await scrape(xfrm)).text).length, 28);
  assert.equal((await scrape(xfrm, { root: tree(t, {}) })).success, false);
});
