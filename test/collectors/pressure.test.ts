import assert from 'node:assert/strict';
import { test } from 'node:test';
import pressure from '../../src/collectors/pressure.ts';
import { errnoOf, NoDataError } from '../../src/core/errors.ts';
import { alteredDisk, refusal } from '../helpers/disk.ts';
import { testFile } from '../helpers/odd.ts';
import { golden, scrape, tree } from '../helpers/scrape.ts';

const SOME = 'some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n';
const FULL = 'full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n';

const IO = { 'proc/pressure/io': SOME };
const ioWaiting = 'node_pressure_io_waiting_seconds_total 5e-06';

testFile(
  pressure,
  'proc/pressure/memory',
  [
    [
      'both lines',
      SOME + FULL,
      [
        ioWaiting,
        'node_pressure_memory_stalled_seconds_total 7e-06',
        'node_pressure_memory_waiting_seconds_total 5e-06',
      ],
    ],
    ['one line', FULL, [ioWaiting, 'node_pressure_memory_stalled_seconds_total 7e-06']],
    ['a line that is new', `${FULL}new total=x\n`, [ioWaiting, 'node_pressure_memory_stalled_seconds_total 7e-06']],
    ['none', '', [ioWaiting], ''],
    ...['some ', 'some avg10=0.00', 'some total=x', 'some total=-1'].map(
      (line) =>
        [
          `the line ${JSON.stringify(line)}`,
          `${line}\n${FULL}`,
          [ioWaiting, 'node_pressure_memory_stalled_seconds_total 7e-06'],
          line,
        ] as const,
    ),
  ],
  { files: IO },
);

test('pressure: the fixtures scrape to the golden text', (t) => golden(t, pressure));

test('pressure tells what an older kernel watches', async (t) => {
  const { text, success } = await scrape(pressure, { root: tree(t, { 'proc/pressure/cpu': SOME }) });
  assert.equal(success, true);
  assert.deepEqual(text.match(/^node.*$/gm), ['node_pressure_cpu_waiting_seconds_total 5e-06']);
});

test('pressure has no data without any of the files', async (t) => {
  const { error, text } = await scrape(pressure, { root: tree(t, {}) });
  assert.ok(error instanceof NoDataError);
  assert.equal(text, '');
});

/** The disk, where files below `pressure` whose names end so are refused with an errno. */
const refusing = (code: string, end = '') =>
  alteredDisk({
    bytes(path, real) {
      if (path.includes('/pressure/') && path.endsWith(end)) throw refusal(code, path);
      return real;
    },
  });

test('pressure has no data where the kernel was booted without it', async () => {
  assert.ok((await scrape(pressure, { disk: refusing('ENOTSUP') })).error instanceof NoDataError);
});

test('pressure that may not be read is not pressure that is not watched', async () => {
  const { error, text } = await scrape(pressure, { disk: refusing('EACCES') });
  assert.deepEqual([errnoOf(error), text], ['EACCES', '']);
});

for (const code of ['ENOENT', 'EACCES', 'ENOTSUP'])
  test(`pressure: ${code} on one of the files takes nothing from the others`, async () => {
    const { text, success } = await scrape(pressure, { disk: refusing(code, '/irq') });
    assert.ok(success);
    assert.match(text, /_memory_stalled_/);
    assert.doesNotMatch(text, /_irq_/);
  });
