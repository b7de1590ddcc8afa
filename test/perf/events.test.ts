import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../src/core/errors.ts';
import { viewMachine } from '../../src/perf/acquire.ts';
import { parseEventGroups } from '../../src/perf/event_text.ts';
import { genericEvent, genericNames } from '../../src/perf/generic_events.ts';
import { planEvents } from '../../src/perf/plan_events.ts';
import type { Plan, PlannedEvent } from '../../src/perf/planned.ts';
import { openTree } from '../../src/source/source.ts';
import { FAMILIES, type Family, type FamilyName, familyFiles } from '../helpers/cpu_families.ts';
import { EVENT_TEXTS } from '../helpers/event_texts.ts';
import type { Attr } from '../helpers/perf_tool.ts';
import { FIXTURES, tree } from '../helpers/scrape.ts';

const DEVICES = 'sys/bus/event_source/devices';

/** What `npm run test:e2e -- perf_events` asks perf(1) again. */
const RECORDED = JSON.parse(readFileSync(`${FIXTURES}perf_attrs.json`, 'utf8')) as Record<
  FamilyName,
  Record<string, readonly Attr[]>
>;

const hex = (word = 0n): string => `0x${word.toString(16)}`;

const attrOf = ({ type, config, config1, config2, ...rest }: PlannedEvent): Attr => ({
  type,
  config: hex(config),
  config1: hex(config1),
  config2: hex(config2),
  excludes: Object.entries(rest)
    .filter(([name, value]) => name.startsWith('exclude') && value === true)
    .map(([name]) => `exclude_${name.slice('exclude'.length).toLowerCase()}`)
    .sort(),
});

/**
 * Until 6.13 perf left guests out of everything that has no modifier for it; Keyhole, as perf since, leaves out what is
 * asked for.
 */
const sinceThen = (attr: Attr, text: string): Attr =>
  /[:/}]\w*H\w*$/.test(text) ? attr : { ...attr, excludes: attr.excludes.filter((name) => name !== 'exclude_guest') };

function planned(t: Parameters<typeof tree>[0], family: Family, text: string): Plan {
  const sys = openTree(`${tree(t, familyFiles(family, DEVICES))}/sys`);
  const online = [0, 1, 2, 3];
  const machine = viewMachine(sys, online);
  return planEvents(parseEventGroups([text]), { cpus: online, machine, kind: 'event' });
}

for (const [name, texts] of Object.entries(EVENT_TEXTS))
  describe(`as perf encodes it on ${name}`, () => {
    for (const text of texts)
      test(text, (t) => {
        const { batches, missing } = planned(t, FAMILIES[name as FamilyName], text);
        assert.deepEqual(missing, []);
        const own = batches.flatMap(({ events }) => events.map(attrOf));
        const perfs = (RECORDED[name as FamilyName][text] ?? []).map((attr) => sinceThen(attr, text));
        assert.ok(perfs.length > 0, 'recorded');
        for (const attr of perfs)
          assert.ok(
            own.some((each) => JSON.stringify(each) === JSON.stringify(attr)),
            JSON.stringify({ attr, own }),
          );
        // Of a group perf tries the members only as far as the kernel takes them.
        // Slots that nobody asked for lead the metric events of top-down; perf takes these by themselves, which the kernel refuses.
        const leaders = /slots/i.test(text) ? [] : batches.filter(({ isWhole }) => isWhole);
        if (!text.startsWith('{')) assert.equal(own.length - leaders.length, perfs.length);
      });
  });

describe('what no machine could count is refused, and quoted', () => {
  for (const [text, why] of [
    ['cycles:p', /"cycles:p": the modifier p: precise levels are for samples/],
    ['cycles:ppp', /precise levels are for samples/],
    ['cycles:S', /with each sample/],
    ['cycles:D', /from everybody else/],
    ['{cycles,instructions}:W', /weak group/],
    ['cycles:uu', /the modifier u is there twice/],
    ['cycles:x', /the modifier x is unknown; known are u, k, h, H and G/],
    ['cpu/event=0x3c,period=1000/', /"cpu\/event=0x3c,period=1000\/": the term period is about samples/],
    ['cpu/event=0x3c,call-graph=fp/', /the term call-graph is about samples/],
    ['cpu/event=foo/', /"foo" is no number for the term event/],
    ['cpu/event=0x1ffffffffffffffff/', /is no number/],
    ['cpu/event=-1/', /is no term/],
    ['cpu//', /"cpu\/\/": "" is no term/],
    ['cpu/event', /"cpu\/event": an event is written as in/],
    ['/x/', /no event source has such a name/],
    ['../x/', /no event source has such a name/],
    ['cpu/../', /is no term/],
    ['sched:sched_switch', /tracepoints are for --collector.perf.tracepoint/],
    ['mem:0x1000', /breakpoints are not counted/],
    ['mem:0x1234:rw', /"mem:0x1234:rw": breakpoints are not counted/],
    ['mem:0x1000/8:w', /breakpoints are not counted/],
    ['cycles/cmask=1/', /"cycles\/cmask=1\/": the term cmask is for event sources; cycles takes name=/],
    ['r1c0/config=2/', /the term config is for event sources/],
    ['cycles/config1/', /the term config1 is for event sources/],
    ['cycles/name=x/p', /the modifier p: precise levels/],
    ['r10000000000000001', undefined],
    ['cpu/name=foo/', /it has no terms/],
    ["cpu/event=1,name='foo bar'/", /its name= is no name/],
    ['{cycles,instructions', /"\{cycles,instructions": a group is written as in/],
    ['{}', /the group is empty/],
    [`{${Array.from({ length: 129 }, (_, i) => `r${i}`).join()}}`, /a group has at most 128 events/],
    ['{{cycles}}', /a group is written as in/],
    ['cpu/event=1,name=x/,cpu/event=2,name=x/', /"x": two different events have this name/],
    ['cpu/event=1,name=a,name=b/', /its name= is no name/],
    ['cpu/event=1,name=a b/', /its name= is no name/],
  ] as const)
    test(text, () =>
      // More than 64 bits make it a name like any other.
      why === undefined
        ? assert.equal(parseEventGroups([text])[0]?.events[0]?.name, text)
        : assert.throws(
            () => parseEventGroups([text]),
            (e) => e instanceof UsageError && why.test(e.message),
          ),
    );
});

describe('what this machine lacks is reported with what it has', () => {
  for (const [family, text, why] of [
    [
      'skylake',
      'cpu/nothing/',
      /^cpu has no "nothing"; its events: branch-instructions, .*; its terms: any, cmask, edge/,
    ],
    ['skylake', 'cpu/event=0x3c,nosuch=1/', /^cpu has no "nosuch"; its events/],
    ['skylake', 'cpu/umask=0x100/', /^cpu: umask=0x100 is too large; at most 0xff$/],
    ['skylake', 'cpu/instructions,cpu-cycles/', /cpu-cycles is a second named event/],
    ['skylake', 'gpu/busy/', /no event source gpu; it has cpu, msr, power, uncore_imc/],
    ['skylake', 'nosuch', /names "nosuch"; nearest are /],
    ['skylake', 'topdown-retired', /nearest are topdown-slots-retired, .* and \d+ more$/],
    ['skylake', 'instruction', /nearest are instructions, /],
    ['skylake', 'slots', /names "slots"; nearest are topdown-total-slots, /],
    ['skylake', 'msr/tsc/u', /^msr counts whatever runs, and can leave nothing out: no modifiers$/],
    ['skylake', 'uncore_cha*/x/', /no event source uncore_cha\*; it has cpu, msr/],
    ['skylake', 'uncore_imc[9-0]/x/', /no event source uncore_imc\[9-0\]/],
    ['skylake', '{cycles,power/energy-pkg/}', /counted by one event source, whole or not at all/],
    ['ice_lake', '{topdown-retiring,topdown-bad-spec}', /want 'slots' in their group/],
    ['alder_lake', 'cpu_core/cycles,cmask=1/', /^cpu_core has no "cycles"/],
    ['skylake', 'power/energy-pkg/u', /power counts for a package, and can leave nothing out/],
    ['skylake', 'power/energy-pkg.unit/', /^power has no "energy-pkg.unit"/],
    ['skylake', 'intel_pt//', undefined],
    ['skylake', 'intel_pt/tsc/', /records, and Keyhole counts/],
    ['ice_lake', '{cpu/slots/,power/energy-pkg/}', /counted by one event source, whole or not at all/],
    ['zen_2', 'amd_df/event=0x4000/', /at most 0x3fff/],
  ] as const)
    test(`${family}: ${text}`, (t) => {
      if (why === undefined) {
        assert.throws(() => planned(t, FAMILIES[family], text), UsageError);
        return;
      }
      const { batches, missing } = planned(t, FAMILIES[family], text);
      assert.deepEqual(batches, []);
      assert.match(missing[0]?.why ?? '', why);
    });
});

describe('on a machine with two kinds of cores', () => {
  test('each counts with its own PMU, named in the high half', (t) => {
    const { batches } = planned(t, FAMILIES.alder_lake, '{cycles,instructions}:u');
    assert.deepEqual(
      batches.map(({ pmu, cpus, isWhole, events }) => [
        pmu,
        cpus.join(),
        isWhole,
        ...events.map(({ config }) => hex(config)),
      ]),
      [
        ['cpu_atom', '2,3', true, '0xa00000000', '0xa00000001'],
        ['cpu_core', '0,1', true, '0x400000000', '0x400000001'],
      ],
    );
  });
  test('a raw event goes to both, and a bare name to those that name it', (t) => {
    const pmus = (text: string) => planned(t, FAMILIES.alder_lake, text).batches.map(({ pmu }) => pmu);
    assert.deepEqual(pmus('r1c0'), ['cpu_atom', 'cpu_core']);
    assert.deepEqual(pmus('slots'), ['cpu_core']);
  });
});

describe('a pattern stands for the event sources that it matches', () => {
  for (const [text, pmus] of [
    ['uncore_imc*/cas_count_read/', ['uncore_imc_0', 'uncore_imc_1']],
    ['imc*/cas_count_read/', ['uncore_imc_0', 'uncore_imc_1']],
    ['*imc_?/cas_count_read/', ['uncore_imc_0', 'uncore_imc_1']],
    ['uncore_imc_[1-3]/cas_count_read/', ['uncore_imc_1']],
    ['uncore_imc_[!1]/cas_count_read/', ['uncore_imc_0']],
  ] as const)
    test(text, (t) => {
      const { batches, missing } = planned(t, FAMILIES.ice_lake, text);
      assert.deepEqual(missing, []);
      assert.deepEqual(
        batches.map(({ pmu }) => pmu),
        pmus,
      );
    });
});

describe('what top-down counts is led by slots', () => {
  for (const [text, groups] of [
    ['topdown-retiring', ['slots topdown-retiring']],
    ['cycles,slots,topdown-retiring', ['cycles', 'slots topdown-retiring']],
    ['topdown-retiring:u,topdown-bad-spec', ['slots:u topdown-retiring:u', 'slots topdown-bad-spec']],
    ['r8000,cpu/slots,name=all/', ['all r8000']],
    ['{topdown-retiring,slots}', ['slots topdown-retiring']],
    ['{cycles,slots,topdown-retiring}:u', ['slots:u cycles:u topdown-retiring:u']],
    ['slots,cpu/instructions/', ['slots instructions']],
  ] as const)
    test(text, (t) => {
      const { batches, missing } = planned(t, FAMILIES.ice_lake, text);
      assert.deepEqual(missing, []);
      assert.deepEqual(
        batches.map(({ events }) => events.map(({ name }) => name).join(' ')),
        groups,
      );
      assert.deepEqual(
        batches.map(({ isWhole }) => isWhole === true),
        groups.map((group) => /topdown|r8000/.test(group)),
      );
    });
  test('and nothing is, where the PMU has it among its ordinary events', (t) => {
    const { batches } = planned(t, FAMILIES.alder_lake, 'cpu_atom/topdown-retiring/');
    assert.deepEqual(
      batches.map(({ events, isWhole }) => [events.length, isWhole]),
      [[1, undefined]],
    );
  });
});

describe('events of msr are members of any group', () => {
  for (const [text, pmu, isOther] of [
    ['{cycles,msr/tsc/}', 'cpu', undefined],
    ['{cs,msr/tsc/,cycles}', 'cpu', undefined],
    ['{msr/tsc/,cs}', 'msr', true],
    ['{cs,page-faults}', 'software', true],
  ] as const)
    test(text, (t) => {
      const { batches, missing } = planned(t, FAMILIES.skylake, text);
      assert.deepEqual(missing, []);
      assert.deepEqual(
        batches.map((batch) => [batch.pmu, batch.isOther, batch.events.length]),
        [[pmu, isOther, text.split(',').length]],
      );
    });
});

test('scale and unit come with a named event, in base units', (t) => {
  const { batches } = planned(t, FAMILIES.ice_lake, 'uncore_imc/cas_count_read/');
  assert.deepEqual(
    batches.map(({ pmu, cpus, moves, events: [event] }) => [pmu, cpus.join(), moves, event?.scale, event?.unit]),
    [
      ['uncore_imc_0', '0,2', true, 64, 'bytes'],
      ['uncore_imc_1', '0,2', true, 64, 'bytes'],
    ],
  );
});

test('labels: without the PMU, with the modifiers that hold', () => {
  const labels = parseEventGroups([
    '{cycles:u,cpu/event=1,umask=2/}:k,r1c0:H,cpu/x,name=my.x/u,cs//k,cycles/config1=1/u',
  ]).flatMap(({ events }) => events.map(({ label }) => label));
  assert.deepEqual(labels, ['cycles:uk', 'event=1,umask=2:k', 'r1c0:H', 'my.x', 'cs:k', 'cycles/config1=1:u']);
});

test('every generic name is known, and no two are the same event', () => {
  const events = genericNames.map((name) => JSON.stringify(genericEvent(name), (_, value) => String(value)));
  assert.equal(new Set(genericNames).size, genericNames.length);
  assert.ok(events.every((event) => event !== undefined));
});

test('whatever is written is events, or an error of usage that quotes a part of it', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[{},:/=a-z0-9]{0,24}$/));
  fc.assert(
    fc.property(text, (written) => {
      try {
        parseEventGroups([written]);
      } catch (error) {
        assert.ok(error instanceof UsageError, String(error));
        const [quoted] = /"(?:[^"\\]|\\.)*"/.exec(error.message) ?? [];
        assert.ok(quoted !== undefined && written.includes(JSON.parse(quoted)), error.message);
      }
    }),
  );
});
