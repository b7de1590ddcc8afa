import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Collect } from '../../src/core/host.ts';
import { gauge } from '../../src/core/metric.ts';
import { NotYet } from '../../src/core/not_yet.ts';
import { createMessages } from '../../src/netlink/messages.ts';
import { createClock } from '../../src/source/clock.ts';
import { createSource, type Source } from '../../src/source/source.ts';
import { createMemory } from '../helpers/memory.ts';
import { attributes, kernelOf } from '../helpers/netlink.ts';
import { runner } from '../helpers/table.ts';

const SYSFS = 0x62656572;
const value = gauge('node_value', 'V.', 'name', 'what');
const REQUEST = { type: 100, reply: 101, body: new Uint8Array(8) } as const;

test('whoever has the turn sees the look of its own part', () => {
  let time = 0;
  const clock = createClock({ now: () => time, events: () => 0 });
  clock.begin();
  time = 30_000;
  clock.begin();
  assert.ok(clock.lookOf(31) > clock.lookOf(0));
  clock.turnTo(31);
  assert.equal(clock.look, clock.lookOf(31));
  clock.begin();
  assert.equal(clock.look, clock.lookOf(0));
});

/** What looks at something, and how its look shows among the questions to the disk. */
const LOOKERS: Readonly<Record<string, (source: Source) => Collect>> = {
  'a fixed text of a device': (source) =>
    source
      .openTree('/sys')
      .devices('zones', /./, (device, out) => out.sample(value, 1, device.id, device.fixed('f') ?? '')),
  'an absent attribute of a device': (source) =>
    source
      .openTree('/sys')
      .devices('zones', /./, (device, out) => out.sample(value, device.number('none') ?? 1, device.id, '')),
  'a fixed file of a table': (source) => {
    const f = source.openTree('/sys').passing('f');
    return source.openTree('/sys').table('table', (lines, out) => out.sample(value, 1, 'f', lines.fixed(f) ?? ''));
  },
  'a fixed file of a message': (source) => {
    const f = source.openTree('/sys').passing('f');
    const netlink = kernelOf(() => [[REQUEST.reply, Buffer.concat([Buffer.alloc(8), attributes([3, 'a'])])]]);
    return createMessages(source.clock, 8, () => [netlink, REQUEST]).table((each, out) =>
      out.sample(value, 1, 'f', each.fixed(f) ?? ''),
    );
  },
  'a settled file': (source) => {
    const f = source.openTree('/sys').settled('f');
    return (out) => out.sample(value, 1, 'f', f.tryText() ?? '');
  },
  'an absent settled file': (source) => {
    const f = source.openTree('/sys').settled('none');
    return (out) => out.sample(value, 1, 'f', f.tryText() ?? '');
  },
  'an absent file, asked for by its error': (source) => {
    const f = source.openTree('/sys').file('none');
    return (out) => out.sample(value, 1, 'f', String(f.failure()));
  },
  'a folder': (source) => {
    const folder = source.openTree('/sys').folder('zones');
    return (out) => out.sample(value, 1, 'f', folder.names().join());
  },
};
for (const [what, partOf] of Object.entries(LOOKERS))
  test(`${what} is looked at once for a look, and not again for a smaller one`, () => {
    const memory = createMemory({ '/sys/f': 'F', '/sys/table': 'a 1\n', '/sys/zones/z/f': 'F', '/sys/zones/z/n': '1' });
    let asks = 0;
    const { isThere, identity } = memory;
    const disk = Object.assign(memory, {
      magic: () => SYSFS,
      isThere(path: string) {
        asks += 1;
        return isThere(path);
      },
      identity(path: string) {
        asks += 1;
        return identity(path);
      },
    });
    let time = 0;
    const source = createSource({ disk, now: () => time, events: () => 0 });
    const run = runner(partOf(source));
    const asked = (ms: number, part: number): number => {
      time = ms;
      memory.asked();
      asks = 0;
      source.clock.begin();
      source.clock.turnTo(part);
      run();
      // The table itself is read at each scrape.
      return asks + memory.asked().filter((each) => !each.endsWith('/sys/table')).length;
    };
    assert.ok(asked(0, 31) > 0);
    assert.equal(asked(100, 31), 0, 'the same look');
    assert.ok(asked(90_000, 31) > 0, 'a minute later');
    assert.equal(asked(90_100, 31), 0, 'the same look, a minute later');
    assert.equal(asked(90_200, 1), 0, 'a smaller look');
    assert.equal(asked(90_300, 31), 0, 'the greater one again');
    assert.ok(asked(130_000, 1) > 0, 'the greatest look is of another part');
    assert.equal(asked(130_100, 31), 0, 'and smaller for the first');
  });

test('mounts are read once a minute, whoever has the turn, and one that came is known then', () => {
  const memory = createMemory({ '/k/a': 'one' });
  let reads = 0;
  let mounts = '';
  const disk = Object.assign(memory, {
    mounts() {
      reads += 1;
      return mounts;
    },
  });
  let time = 0;
  const source = createSource({ disk, now: () => time });
  const file = source.openTree('/k').passing('a');
  const scrape = (ms: number, ...parts: readonly number[]): number => {
    time = ms;
    reads = 0;
    source.clock.begin();
    for (const part of parts) {
      source.clock.turnTo(part);
      file.tryRead();
      source.openTree('/k').exists('b');
    }
    return reads;
  };
  assert.equal(scrape(0, 1, 2, 3), 1);
  assert.equal(scrape(90_000, 31, 0, 1, 31), 1);
  assert.equal(scrape(90_100, 31, 0), 0);
  mounts = '3 1 0:8 / /k rw - fuse.x none rw\n';
  assert.throws(() => scrape(151_000, 31), NotYet);
});

test('a file that was timed is not timed again for a smaller look', () => {
  const disk = Object.assign(createMemory({ '/sys/f': '1' }), { magic: () => SYSFS });
  let time = 0;
  let clocks = 0;
  const source = createSource({
    disk,
    events: () => 0,
    now() {
      clocks += 1;
      return time;
    },
  });
  const file = source.openTree('/sys').file('f');
  const timed = (ms: number, part: number): boolean => {
    time = ms;
    source.clock.begin();
    source.clock.turnTo(part);
    clocks = 0;
    file.tryRead();
    return clocks > 0;
  };
  assert.deepEqual(
    [timed(0, 31), timed(100, 31), timed(90_000, 31), timed(90_100, 31), timed(90_200, 1), timed(90_300, 31)],
    [true, false, true, false, false, false],
  );
});
