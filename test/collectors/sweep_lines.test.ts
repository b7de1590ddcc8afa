// One odd line costs itself alone: of every file of every collector each line is odd in turn, and what is left is compared.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collectors } from '../../src/collectors/index.ts';
import { PAST_HOST } from '../helpers/collected.ts';
import { moved, NO_NUMBER, type OddLine, oddLines } from '../helpers/odd_lines.ts';
import { contentOf, type Exceptions, judge, type Seen, shortOf, sweepOf, without } from '../helpers/sweep.ts';

/** Files that are no lines, or that one line makes odd as a whole. */
const WHOLE: Readonly<Record<string, string>> = {
  ...PAST_HOST,
  runit: 'the status is bytes',
  textfile: 'a malformed file is refused whole, as Prometheus refuses it, and node_textfile_scrape_error says so',
};

const OLDER = 'an older kernel has fewer columns';
const PLACED = 'what a line is depends on its place: above a heading, below one, or the first of a pair';
const HEADING = 'the lines below are quoted, since they do not fit the heading';

/** By collector; findings read `<path>:<line> <oddity> "<line>": <fault>`. */
const EXCEPTIONS: Readonly<Record<string, Exceptions>> = {
  bcachefs: [
    [/(stats|errors|done|counters.*):\d new /, PLACED],
    [/btree_write_stats:\d cut .* lost silently/, OLDER],
    [/io_errors:0 cut .* lost silently/, 'the heading says since when: other sections are passed over'],
  ],
  buddyinfo: [[/ cut .* lost silently/, OLDER]],
  conntrack: [[/:0 new /, PLACED]],
  diskstats: [
    [/diskstats:\d cut .* lost silently/, OLDER],
    [/udev.* no number .* lost silently/, 'what udev writes is free text'],
  ],
  drbd: [[/ cut .* lost silently/, OLDER]],
  interrupts: [[/:0 cut .* lost silently/, 'with a CPU less in the heading, counts are what a line says of itself']],
  ipvs: [[/ new /, PLACED]],
  lnstat: [
    [/:0 new /, PLACED],
    [/:0 cut .* another reason/, HEADING],
    [/:[12] cut .* lost silently/, OLDER],
  ],
  mdadm: [[/ new /, PLACED]],
  mountstats: [
    [/mountinfo:\d no number .* made up/, 'the address is empty; of the odd line the filesystem collector speaks'],
    [/ cut "device .* lost silently/, 'a file system without statistics'],
    [/ new ".*statistics"/, PLACED],
  ],
  netdev: [[/:[01] new /, PLACED]],
  netstat: [
    [/(netstat|snmp):\d+ new /, PLACED],
    [/(netstat|snmp):\d+ (cut|name) .* another reason/, 'one line of a pair is quoted'],
  ],
  nfs: [[/ others are lost/, 'without the line, a version that this kernel has not is 0']],
  slabinfo: [[/:0 new /, PLACED]],
  softirqs: [[/:0 cut .* another reason/, HEADING]],
  softnet: [[/ new /, PLACED]],
  stat: [[/ cut "softirq .* lost silently/, OLDER]],
  swap: [[/:0 new /, PLACED]],
  udp_queues: [[/:0 new /, PLACED]],
  zfs: [
    [/:1 new /, PLACED],
    [/\/io:1 name .* another reason/, HEADING],
    [/objset.*:2 name .* another reason/, 'without its name a dataset cannot be told from others'],
  ],
};

const size = { files: 0, lines: 0, inputs: 0, collectors: 0 };

/** The line that a reason quotes, as far as it does. */
function quotedIn(why: string): string | undefined {
  const [, quoted] = /cannot parse ("(?:[^"\\]|\\.)*")/.exec(why) ?? [];
  return quoted === undefined ? undefined : (JSON.parse(quoted) as string).replace(/…$/, '');
}

const decoded = (line: string): string => Buffer.from(line, 'latin1').toString();

/** What is wrong with a scrape in which a line is odd; `others`: the samples that do not come from that line. */
function* faultsOf({ oddity, line }: OddLine, seen: Seen, usual: Seen, others: ReadonlySet<string>): Generator<string> {
  const lost = without(others, seen.samples);
  if (lost.length > 0) yield `others are lost: ${lost[0]}`;
  if (seen.success) {
    if (seen.faults > 0) yield 'counts a fault, and succeeds';
    const [gone, come] = [without(usual.samples, seen.samples), without(seen.samples, usual.samples)];
    const isAboutNames = oddity.startsWith('name');
    if (gone.length > come.length && !isAboutNames) yield `lost silently: ${gone[0]}`;
    const unlike = come.find((sample) => !sample.includes(NO_NUMBER));
    if (oddity === 'no number' && unlike !== undefined) yield `made up: ${unlike}`;
  } else {
    const quoted = quotedIn(seen.why);
    if (quoted === undefined || !decoded(line).includes(quoted)) yield `another reason: ${seen.why}`;
    if (seen.faults < 1) yield 'counts no fault';
    if (oddity === 'new' || oddity === 'blank') yield 'fails for it';
  }
}

for (const collector of collectors) {
  const { name } = collector;
  test(`${name}: one odd line costs itself alone`, { skip: WHOLE[name] ?? false }, async () => {
    const { again, opened } = sweepOf(collector);
    const usual = await again();
    assert.equal(usual.why, '');
    const findings: string[] = [];
    size.collectors += 1;
    for (const path of [...opened].sort()) {
      const content = contentOf(path);
      const lines = content?.replace(/\n$/, '').split('\n') ?? [];
      // A file of one value is swept as an attribute.
      if (lines.length === 1 && !/^[\d\s]*\s[\d\s]*$/.test(lines[0] as string)) continue;
      size.files += 1;
      const withLine = (i: number, count: number, ...by: readonly string[]): Promise<Seen> => {
        size.inputs += 1;
        return again({ path, text: `${lines.toSpliced(i, count, ...by).join('\n')}\n` });
      };
      for (const [i, line] of lines.entries()) {
        size.lines += 1;
        const [gone, other] = [await withLine(i, 1), await withLine(i, 1, moved(line))];
        const others = new Set([...usual.samples].filter((each) => gone.samples.has(each) && other.samples.has(each)));
        for (const odd of oddLines(line, i)) {
          const seen = await withLine(odd.isMore ? i + 1 : i, odd.isMore ? 0 : 1, odd.line);
          const rest = odd.isMore ? usual.samples : others;
          for (const fault of faultsOf(odd, seen, usual, rest))
            findings.push(`${shortOf(path)}:${i} ${odd.oddity} ${JSON.stringify(odd.line.slice(0, 60))}: ${fault}`);
        }
      }
    }
    assert.deepEqual(judge(findings, EXCEPTIONS[name] ?? []), []);
  });
}

test('the size of the sweep of lines', (t) => {
  const { collectors: count, files, lines, inputs } = size;
  t.diagnostic(`${count} collectors, ${files} files, ${lines} lines, ${inputs} inputs`);
  assert.ok(inputs > 5000);
});
