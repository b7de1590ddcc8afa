// One file costs itself alone: of every collector each file is removed, emptied, refused and without a value in turn, and what is
// left is compared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import { PAST_HOST } from '../helpers/collected.ts';
import { moved } from '../helpers/odd_lines.ts';
import {
  contentOf,
  type Exceptions,
  judge,
  OF_REFUSED,
  type Seen,
  seriesOf,
  shortOf,
  sweepOf,
  without,
} from '../helpers/sweep.ts';

const REFUSED = ['EACCES', 'EPERM'];
/** Node calls EOPNOTSUPP so. */
const NO_VALUE = ['EINVAL', 'ENODATA', 'ENOTSUP', 'EAGAIN', 'ENXIO', 'EIO', 'EISDIR'];
/** What nobody expects; Node has no name for some. */
const UNEXPECTED = ['EPROTO', 'EFAULT', 'Unknown system error -75'];
const CODES = [...REFUSED, ...NO_VALUE, ...UNEXPECTED];

/** By collector; findings read `<path> <strike>: <fault>`. */
const EXCEPTIONS: Readonly<Record<string, Exceptions>> = {
  cpu: [[/cpu0\/online removed: others/, 'where the first CPU has none, the machine takes no CPU offline']],
  bonding: [[/mii_status .*: others are lost: node_bonding_active/, 'how many are up is not known then']],
  hwmon: [[/pwm2 removed: others/, 'beside a bare file another is called _input']],
  textfile: [[/an unexpected answer is a success/, 'node_textfile_scrape_error says so']],
  mdadm: [[/level .* made up: .*_degraded/, 'a container has no level either, and lacks no disk']],
  selinux: [[/enforce removed: others/, 'where the file is not there, SELinux is off']],
};

const size = { files: 0, inputs: 0, collectors: 0 };

/** Other contents: what they change comes from the file. */
const alterations = (content: string): Set<string> =>
  new Set([moved(content), content.replace(/[A-Za-z]+/g, 'keyhole'), content.replace(/[a-z]+/g, 'keyhole'), '1\n', '']);

interface Known {
  readonly usual: Seen;
  /** With the file removed. */
  readonly gone: Seen;
  /** The samples that do not come from the file. */
  readonly others: ReadonlySet<string>;
}

/** What is wrong with a scrape in which a file cannot be read. */
function* faultsOf(seen: Seen, { usual, gone, others }: Known, path: string, code: string): Generator<string> {
  const lost = without(others, seen.samples);
  if (lost.length > 0) yield `others are lost: ${lost[0]}`;
  const series = new Set([...usual.samples].map(seriesOf));
  const madeUp = without(seen.samples, usual.samples).find((sample) => series.has(seriesOf(sample)));
  if (madeUp !== undefined) yield `made up: ${madeUp}`;
  // An attribute that the collector does without when it is absent is one that it does without when it has no value.
  const isExpected = !UNEXPECTED.includes(code);
  if (isExpected && path.includes('/sys/') && !path.includes('/proc/') && seen.success !== gone.success)
    yield `success ${seen.success}: ${seen.why}`;
  if (!isExpected && seen.success) yield 'an unexpected answer is a success';
  if (!seen.success && gone.success && !seen.why.includes(path)) yield `another reason: ${seen.why}`;
  if (seen.success && REFUSED.includes(code) && !seen.refused.has(path)) yield 'refused silently';
}

/** Every strike for the first file of its kind; for the others one of each sort, in turn. */
function codesFor(path: string, known: Map<string, number>): string[] {
  const kind = path.replace(/\d+/g, '0');
  const turn = known.get(kind) ?? 0;
  known.set(kind, turn + 1);
  return turn === 0 ? CODES : [REFUSED, NO_VALUE, UNEXPECTED].map((codes) => codes[turn % codes.length] as string);
}

for (const collector of collectors) {
  const { name } = collector;
  test(`${name}: one file costs itself alone`, { skip: PAST_HOST[name] ?? false }, async () => {
    const { again, opened } = sweepOf(collector);
    const usual = await again();
    const findings: string[] = [];
    const kinds = new Map<string, number>();
    size.collectors += 1;
    for (const path of [...opened].sort()) {
      const content = contentOf(path);
      if (content === undefined) continue;
      const strike = (by: { readonly text: string } | { readonly code: string }): Promise<Seen> => {
        size.inputs += 1;
        return again({ path, ...by });
      };
      size.files += 1;
      const gone = await strike({ code: 'ENOENT' });
      const altered: Seen[] = [];
      for (const text of alterations(content)) altered.push(await strike({ text }));
      const others = new Set([...usual.samples].filter((each) => altered.every(({ samples }) => samples.has(each))));
      const known = { usual, gone, others };
      const note = (by: string, faults: Iterable<string>): void => {
        for (const fault of faults) findings.push(`${shortOf(path)} ${by}: ${fault}`);
      };
      note(
        'removed',
        without(others, gone.samples).map((lost) => `others are lost: ${lost}`),
      );
      for (const code of codesFor(path, kinds)) note(code, faultsOf(await strike({ code }), known, path, code));
    }
    assert.deepEqual(judge(findings, [...(EXCEPTIONS[name] ?? []), ...(OF_REFUSED[name] ?? [])]), []);
  });
}

test('the size of the sweep of files', (t) => {
  t.diagnostic(`${size.collectors} collectors, ${size.files} files, ${size.inputs} inputs`);
  assert.ok(size.inputs > 5000);
});
