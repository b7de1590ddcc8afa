import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gauge } from '../../src/core/metric.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { livesOf } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'name', 'alias');
test('a file that only a line needs that has gone hides no other line', () => {
  const disk = createMemory({ '/proc/table': 'a 1\nb 2\n', '/sys/a': 'A', '/sys/b': 'B' });
  let time = 0;
  const { scrape, fresh } = livesOf({ disk, now: () => time }, (source) => {
    const sys = source.openTree('/sys');
    return source
      .openTree('/proc')
      .table('table', (lines, out) =>
        lines.each((line) =>
          out.sample(value, line.uint(1), line.word(0), lines.fixed(sys.passing(line.word(0))) ?? ''),
        ),
      );
  });
  scrape();
  disk.write('/proc/table', 'a 1\n');
  disk.refuse('/sys/b', 'ESTALE');
  time += LOOK_MS;
  assert.deepEqual(scrape(), fresh());
});
void createSource;
