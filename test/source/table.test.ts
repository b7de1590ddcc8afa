import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NoDataError } from '../../src/core/errors.ts';
import type { Layout, Line, TableOptions, Take } from '../../src/core/host.ts';
import { gauge } from '../../src/core/metric.ts';
import type { LayoutWriter } from '../../src/core/writer.ts';
import { takeUint } from '../../src/source/numbers.ts';
import { createSource } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { livesOf, type Ran, runner } from '../helpers/table.ts';

const value = gauge('node_value', 'V.', 'at', 'seen');
const bare = gauge('node_bare', 'B.');

/** A table over one file; `scrape` follows what was laid out, `fresh` lays it out in another process. */
function tableOf(layout: Layout, options: Omit<TableOptions, 'beside'> = {}) {
  const disk = createMemory();
  const lives = livesOf({ disk }, (source) => source.openTree('/k').table('file', layout, options));
  return { ...lives, disk, write: (text: string): void => disk.write('/k/file', text) };
}

// What a layout may do to a line.
const KINDS = [
  'word',
  'find',
  'rest',
  'number',
  'uint',
  'hex',
  'auto',
  'before',
  'positive',
  'taken',
  'upTo',
  'length',
  'both',
] as const;
interface Step {
  readonly kind: (typeof KINDS)[number];
  readonly column: number;
}

/** A collector's own: `5` is 50. */
const takeX: Take = (bytes, start, end, into, place) => {
  const at = takeUint(bytes, start, end, into, place);
  into[place] = (into[place] as number) * 10;
  return at;
};

function doStep({ kind, column }: Step, line: Line, at: string, out: LayoutWriter): void {
  if (kind === 'word') out.sample(value, 1, at, line.word(column));
  else if (kind === 'find') out.sample(value, 2, at, line.find(column) ?? 'none');
  else if (kind === 'rest') out.sample(value, 3, at, line.rest(column));
  else if (kind === 'length') out.sample(value, line.length, at, 'length');
  else if (kind === 'before') out.sample(value, line.number(column, 'k='), at, 'before');
  else if (kind === 'upTo') out.sample(value, 4, at, line.upTo(column, '=') ?? 'none');
  else if (kind === 'taken') out.sample(value, line.taken(column, takeX), at, kind);
  else if (kind === 'both')
    out.sample(
      value,
      line
        .number(column)
        .plus(line.number(column + 1))
        .over(3),
      at,
      'both',
    );
  else out.sample(value, line[kind](column), at, kind);
}

interface Script {
  /** By line, and for those beyond the last. */
  readonly lines: readonly (readonly Step[])[];
  /** Whether a line that is odd costs itself alone. */
  readonly isEach: boolean;
  /** Only lines whose first word is one of these. */
  readonly only: readonly string[] | undefined;
}

const layoutOf =
  ({ lines, isEach, only }: Script): Layout =>
  (all, out) => {
    const layOut = (line: Line, index: number): void => {
      if (only !== undefined && !only.includes(line.find(0) ?? '')) return;
      for (const [i, step] of (lines[index % lines.length] as readonly Step[]).entries())
        doStep(step, line, `${index} ${i}`, out);
    };
    if (isEach) all.each(layOut);
    else for (const [index, line] of [...all].entries()) layOut(line, index);
    out.sample(bare, all.length);
  };

const TOKENS = [
  ...['a', 'b', 'cpu0', 'key:', 'k=', 'k=5', 'k=-1.5', 'ff', '0x1f', '017', '08', 'nan', '-'],
  ...['0', '1', '12', '007', '-3', '1.5', '1e5', '123456789012345678', '18446744073709551615'],
] as const;
const BLANKS = [' ', ' ', ' ', '  ', '\t', ' \t ', '\v', '\r'] as const;

const step: fc.Arbitrary<Step> = fc.record({ kind: fc.constantFrom(...KINDS), column: fc.nat(4) });
const script: fc.Arbitrary<Script> = fc.record({
  lines: fc.array(fc.array(step, { maxLength: 4 }), { minLength: 1, maxLength: 3 }),
  isEach: fc.boolean(),
  only: fc.option(fc.subarray(['a', 'b', 'cpu0', '1', '12'], { minLength: 1 }), { nil: undefined, freq: 2 }),
});
const line = fc
  .tuple(
    fc.constantFrom('', '', '', ' ', '\t'),
    fc.array(fc.tuple(fc.constantFrom(...TOKENS), fc.constantFrom(...BLANKS)), { maxLength: 6 }),
    fc.constantFrom('', '', '', ' ', '\r'),
  )
  .map(([before, words, after]) => before + words.flat().slice(0, -1).join('') + after);
const text = fc
  .tuple(fc.array(line, { maxLength: 4 }), fc.boolean())
  .map(([all, isEnded]) => all.join('\n') + (isEnded ? '\n' : ''));

/** One change of a text: tokens, blanks and lines come, go and change. */
type Edit = (text: string) => string;
const at = (all: readonly unknown[], place: number): number => (all.length === 0 ? 0 : place % all.length);
const edit: fc.Arbitrary<Edit> = fc
  .record({
    kind: fc.nat(8),
    place: fc.nat(40),
    token: fc.constantFrom(...TOKENS),
    blank: fc.constantFrom(...BLANKS, '\n', ''),
    other: line,
    whole: text,
  })
  .map(({ kind, place, token, blank, other, whole }): Edit => {
    const inPieces =
      (change: (pieces: string[]) => void, splitAt: RegExp): Edit =>
      (before) => {
        const pieces = before.split(splitAt);
        change(pieces);
        return pieces.join('');
      };
    const words = /(?<=\s)(?=\S)|(?<=\S)(?=\s)/;
    if (kind <= 2) return inPieces((p) => void p.splice(at(p, place), 1, token), words);
    if (kind === 3) return inPieces((p) => void p.splice(at(p, place), 1, blank), words);
    if (kind === 4) return inPieces((p) => void p.splice(at(p, place), 1), words);
    if (kind === 5) return inPieces((p) => void p.splice(at(p, place), 1), /(?<=\n)/);
    if (kind === 6) return inPieces((p) => void p.splice(at(p, place), 0, `${other}\n`), /(?<=\n)/);
    if (kind === 7) return (before) => before.slice(0, place % (before.length + 1));
    return () => whole;
  });

/** Which blanks stand between the words of a line that is quoted is looked at only when it is laid out. */
const plainly = (ran: Ran): Ran => {
  const plain = (message: string): string => message.replace(/\\[trvf]|\\u000[bc]| /g, '');
  return { ...ran, faults: ran.faults.map(plain), thrown: ran.thrown && plain(ran.thrown) };
};

test('a table that follows a file equals a new one after any change of the text', () => {
  fc.assert(
    fc.property(script, text, fc.array(edit, { minLength: 1, maxLength: 8 }), (given, first, edits) => {
      const table = tableOf(layoutOf(given));
      let now = first;
      table.write(now);
      assert.deepEqual(table.scrape(), table.fresh());
      for (const each of edits) {
        now = each(now);
        table.write(now);
        assert.deepEqual(plainly(table.scrape()), plainly(table.fresh()), JSON.stringify(now));
      }
    }),
    { numRuns: 1500 },
  );
});

const number = fc.oneof(
  fc.nat(9).map(String),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map(String),
  fc.nat().map((each) => String(each).padStart(12, '0')),
);

test('a file in which only numbers move is laid out once', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, number), { minLength: 1, maxLength: 6 }), (rows) => {
      const table = tableOf((all, out) => {
        all.each((each, i) => {
          out.sample(value, each.uint(1), each.word(0), each.word(3));
          out.sample(value, each.number(2).times(0.5), `${i}`, 'half');
        });
      });
      for (const row of rows) {
        table.write(`a ${row[0]} ${row[1]} x y\n  b\t${row[2]}\t${row[0]}   z\n`);
        const ran = table.scrape();
        assert.deepEqual(ran, table.fresh());
        assert.ok(ran.text.includes('seen="half"'));
      }
      assert.equal(table.layouts(), 1);
    }),
  );
});

test('columns that nobody looks at may be anything, in any number', () => {
  const table = tableOf((all, out) => out.sample(bare, (all.at(0) as Line).uint(2)));
  for (const [words, expected] of [
    ['a b 1', 1],
    ['c d 2 e f g', 2],
    ['12\t-\r3 ', 3],
    [`x${'y'.repeat(100)} ${'z'.repeat(100)} 4 ${'w '.repeat(100)}`, 4],
  ] as const) {
    table.write(`${words}\n`);
    assert.match(table.scrape().text, new RegExp(`^node_bare ${expected}$`, 'm'));
  }
  assert.equal(table.layouts(), 1);
  table.write('a b\n');
  assert.match(table.scrape().thrown ?? '', /cannot parse "a b"/);
});

test('a number that stands behind a prefix is not one that stands apart from it', () => {
  const table = tableOf((all, out) => all.each((each) => out.sample(bare, each.number(0, 'k='))));
  table.write('k=5\n');
  assert.match(table.scrape().text, /node_bare 5/);
  table.write('k= 5\n');
  assert.deepEqual(table.scrape(), table.fresh());
});

test('a line that is odd is left out, and back as soon as it is not', () => {
  const table = tableOf((all, out) => all.each((each) => out.sample(value, each.uint(1), 'x', each.word(0))));
  table.write('a 1\nb x\nc 3\n');
  const ran = table.scrape();
  assert.deepEqual(ran.text.match(/^node_value.*/gm), [
    'node_value{at="x",seen="a"} 1',
    'node_value{at="x",seen="c"} 3',
  ]);
  assert.deepEqual(ran.faults, ['ParseError: /k/file: cannot parse "b x"']);
  table.write('a 10\nb x\nc 30\n');
  assert.equal(table.scrape().faults.length, 1);
  assert.equal(table.layouts(), 1, 'an odd line stays as odd as it is');
  table.write('a 10\nb 2\nc 30\n');
  assert.deepEqual(table.scrape(), table.fresh());
});

test('what an odd line wrote before it turned out odd is taken back, and the next line has its own labels', () => {
  const table = tableOf((all, out) =>
    all.each((each) => {
      out.sample(value, 1, 'word', each.word(0));
      out.sample(value, each.uint(1), 'number', each.word(0));
    }),
  );
  for (const [i, words] of ['a 1\nb x\nc 3\n', 'b x\nd 4\n', 'a x\nb x\n', 'e 5\n'].entries()) {
    table.write(words);
    const good = [...words.matchAll(/^(\w) (\d)$/gm)].map(([, name, number]) => [name, number]);
    assert.deepEqual(table.scrape().text.match(/^node_value.*/gm) ?? [], [
      ...good.map(([name, number]) => `node_value{at="number",seen="${name}"} ${number}`),
      ...good.map(([name]) => `node_value{at="word",seen="${name}"} 1`),
    ]);
    assert.equal(table.layouts(), i + 1);
  }
});

test('a line found odd while another is laid out is looked at again when it is another', () => {
  const table = tableOf((all, out) => {
    const [first, second] = [...all] as [Line, Line];
    all.one(first, () => {
      out.sample(value, first.uint(0).plus(second.uint(0)), 'sum', '');
    });
  });
  for (const words of ['1\nx\n', '1\n2\n', '1\ny\n', '3\n4\n']) {
    table.write(words);
    assert.deepEqual(table.scrape(), table.fresh(), JSON.stringify(words));
  }
});

test('a bug of ours is not taken for an odd line', () => {
  const table = tableOf((all) =>
    all.each(() => {
      throw new TypeError('ours');
    }),
  );
  table.write('a\n');
  assert.equal(table.scrape().thrown, 'TypeError: ours');
});

test('a layout that throws leaves nothing of its file, and lays it out again', () => {
  const table = tableOf((all, out) => {
    for (const each of all) out.sample(value, each.uint(1), 'x', each.word(0));
  });
  table.write('a 1\nb 2\n');
  assert.match(table.scrape().text, /seen="b"} 2/);
  table.write('a 1\nb\n');
  const odd = table.scrape();
  assert.equal(odd.text, '');
  assert.equal(odd.thrown, 'ParseError: /k/file: cannot parse "b"');
  table.write('a 1\nb 3\n');
  assert.match(table.scrape().text, /seen="a"} 1\n.*seen="b"} 3/);
});

test('what is absent is nothing, or what `ifAbsent` says, and is there when it comes', () => {
  const layout: Layout = (all, out) => out.sample(bare, all.length);
  const optional = tableOf(layout, { ifAbsent: () => {} });
  const needed = tableOf(layout, {
    ifAbsent: () => {
      throw new NoDataError('none');
    },
  });
  const plain = tableOf(layout);
  assert.deepEqual(optional.scrape(), { text: '', faults: [], passedOver: [], thrown: undefined });
  assert.equal(needed.scrape().thrown, 'NoDataError: none');
  assert.match(plain.scrape().thrown ?? '', /ENOENT/);
  for (const table of [optional, needed, plain]) {
    for (const words of ['a\n', 'a\nb\n']) {
      table.write(words);
      assert.deepEqual(table.scrape(), table.fresh());
    }
    table.disk.remove('/k/file');
    assert.deepEqual(table.scrape(), table.fresh(), 'it is gone, though it is open');
    table.write('a\nb\n');
    assert.match(table.scrape().text, /node_bare 2/);
    table.disk.refuse('/k/file', 'EIO');
    assert.match(table.scrape().thrown ?? '', /EIO/);
    table.disk.refuse('/k/file');
    assert.deepEqual(table.scrape(), table.fresh());
  }
});

test('`adjust` looks over the numbers before samples are made of them, at every scrape', () => {
  const table = tableOf((all, out) => out.sample(bare, (all.at(0) as Line).uint(0).times(2)), {
    adjust: (numbers) => {
      numbers[0] = Math.min(numbers[0] as number, 5);
    },
  });
  for (const [words, expected] of [
    ['9\n', 10],
    ['3\n', 6],
    ['12\n', 10],
  ] as const) {
    table.write(words);
    assert.match(table.scrape().text, new RegExp(`node_bare ${expected}\n`));
  }
});

test('another content of a file beside is another layout', () => {
  const disk = createMemory({ '/k/file': 'a 1\n' });
  const source = createSource({ disk });
  const tree = source.openTree('/k');
  const beside = tree.passing('name');
  const layout: Layout = (all, out) => out.sample(value, (all.at(0) as Line).uint(1), 'x', beside.tryText() ?? 'none');
  const scrape = runner(tree.table('file', layout, { beside: [beside] }));
  const seen = (): string | undefined => {
    source.clock.begin();
    return /seen="(.*)"} (\d)/.exec(scrape().text)?.slice(1).join(' ');
  };
  assert.equal(seen(), 'none 1');
  disk.write('/k/name', 'b');
  assert.equal(seen(), 'b 1');
  disk.write('/k/file', 'a 2\n');
  assert.equal(seen(), 'b 2');
  assert.equal(source.clock.layouts, 2);
  disk.write('/k/name', 'c');
  assert.equal(seen(), 'c 2');
  disk.remove('/k/name');
  assert.equal(seen(), 'none 2');
});

test('what was passed over is reported at every scrape, what stands in lines alone by a line table', () => {
  const disk = createMemory({ '/k/file': 'a 1\nb 2\n' });
  const source = createSource({ disk });
  const scrape = runner(
    source.openTree('/k').lineTable('file', (each, out) => {
      if (each.word(0) === 'b') out.passedOver('b');
      else out.sample(bare, each.uint(1));
    }),
  );
  for (let i = 0; i < 2; i += 1) {
    source.clock.begin();
    assert.deepEqual(scrape().passedOver, ['b']);
  }
});

test('a blank line is none of the lines, and one that comes or goes is followed', () => {
  const { scrape, write, fresh } = tableOf((lines, out) => {
    out.sample(value, lines.length, 'all', 'length');
    lines.each((line, i) => out.sample(value, line.uint(0), String(i), 'uint'));
  });
  for (const text of ['1\n2\n', '\n1\n  \n2\n\n', '\n1\n  \n3\n\n', '1\n\t\n3', '\n\n1\n3\n']) {
    write(text);
    const seen = scrape();
    assert.deepEqual(seen, fresh());
    assert.deepEqual(seen.faults, []);
    assert.match(seen.text, /at="all",seen="length"\} 2\n/);
  }
});

test('a file without a line is a fault, unless the kernel writes such', () => {
  for (const text of ['', '\n', ' \n\n']) {
    const { scrape, write } = tableOf((_, out) => out.sample(bare, 1));
    write(text);
    const { text: written, faults } = scrape();
    assert.equal(written, '');
    assert.deepEqual(faults, ['ParseError: /k/file: cannot parse ""']);
    const empty = tableOf(() => assert.fail('nothing to lay out'), { mayBeEmpty: true });
    empty.write(text);
    assert.deepEqual(empty.scrape().faults, []);
  }
});
