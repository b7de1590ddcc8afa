import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NoDataError, ParseError } from '../../src/core/errors.ts';
import type { Line, Turn } from '../../src/core/host.ts';
import { Samples } from '../../src/core/samples.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createSource } from '../../src/source/source.ts';
import { devicesOf, seriesOf, temp, word, ZONES, zone } from '../helpers/devices.ts';
import { createMemory, type Memory } from '../helpers/memory.ts';
import { render } from '../helpers/render.ts';
import { runner } from '../helpers/table.ts';

test('devices are found by their names, each with its numbers and words', () => {
  const { scrape, disk, layouts } = devicesOf(zone);
  assert.deepEqual(seriesOf(scrape()), ['node_temp{type="cpu",zone="z0"} 41', 'node_temp{type="gpu",zone="z1"} 42']);
  disk.write('/sys/zones/z1/temp', '-500\n');
  assert.deepEqual(seriesOf(scrape()), ['node_temp{type="cpu",zone="z0"} 41', 'node_temp{type="gpu",zone="z1"} -0.5']);
  assert.equal(layouts(), 2);
  disk.write('/sys/zones/z0/type', 'soc\n');
  assert.deepEqual(seriesOf(scrape())[0], 'node_temp{type="gpu",zone="z1"} -0.5');
  assert.deepEqual(seriesOf(scrape())[1], 'node_temp{type="soc",zone="z0"} 41');
  assert.equal(layouts(), 3, 'only the device whose word is another');
});

test('a device that appears, goes and comes back', () => {
  const { scrape, disk, fresh, source } = devicesOf(zone);
  scrape();
  disk.write('/sys/zones/z2/temp', '1000\n');
  assert.deepEqual(scrape(), fresh());
  assert.equal(seriesOf(scrape()).length, 3);
  const { kept } = source.descriptors;
  for (const gone of ['z0', 'z1', 'z2']) disk.remove(`/sys/zones/${gone}`);
  assert.deepEqual(seriesOf(scrape()), []);
  assert.ok(kept > 0);
  assert.equal(source.descriptors.kept, 0, 'what is gone is given back');
  disk.write('/sys/zones/z1/temp', '7000\n');
  assert.deepEqual(seriesOf(scrape()), ['node_temp{type="",zone="z1"} 7']);
});

test('a device that was made anew under its name is another one', () => {
  const { scrape, disk, fresh } = devicesOf(zone);
  scrape();
  disk.remove('/sys/zones/z0');
  disk.write('/sys/zones/z0/temp', '9000\n');
  disk.write('/sys/zones/z0/type', 'nvme\n');
  assert.deepEqual(scrape(), fresh());
  assert.match(scrape().text, /^node_temp\{type="nvme",zone="z0"\} 9$/m);
});

for (const code of ['EAGAIN', 'EBUSY', 'EINVAL', 'EIO', 'ENODATA', 'ENOTSUP', 'ETIMEDOUT', 'ENODEV', 'ENXIO'])
  test(`an attribute that answers ${code} has no value, and has one as soon as it has`, () => {
    const { scrape, disk, fresh, minute } = devicesOf(zone);
    scrape();
    for (let i = 0; i < 2; i += 1) {
      disk.refuse('/sys/zones/z0/temp', code);
      for (let k = 0; k < 2; k += 1) {
        const ran = scrape();
        assert.deepEqual(seriesOf(ran), ['node_temp{type="gpu",zone="z1"} 42']);
        assert.deepEqual(ran, fresh());
        assert.deepEqual([ran.faults, ran.thrown], [[], undefined]);
      }
      disk.refuse('/sys/zones/z0/temp');
      // What is there but without a value is asked at every scrape; what is gone is looked for a minute later.
      if (code === 'ENODEV' || code === 'ENXIO') minute();
      assert.deepEqual(scrape(), fresh());
      assert.equal(seriesOf(scrape()).length, 2);
    }
  });

for (const code of ['EACCES', 'EPERM'])
  test(`an attribute that is refused with ${code} is left out, reported once, and looked at again in a minute`, () => {
    const disk = createMemory(ZONES);
    const refused: string[] = [];
    let time = 0;
    const source = createSource({ disk, now: () => time, onRefused: (path) => refused.push(path) });
    const scrape = runner(source.openTree('/sys').devices('zones', /^z/, zone));
    const seen = (): string[] => {
      source.clock.begin();
      return seriesOf(scrape());
    };
    disk.refuse('/sys/zones/z0/temp', code);
    for (let i = 0; i < 2; i += 1) assert.deepEqual(seen(), ['node_temp{type="gpu",zone="z1"} 42']);
    disk.refuse('/sys/zones/z0/temp');
    time += LOOK_MS;
    assert.equal(seen().length, 2);
    disk.refuse('/sys/zones/z0/temp', code);
    source.descriptors.giveBack();
    assert.equal(seen().length, 1);
    assert.deepEqual(refused, ['/sys/zones/z0/temp']);
  });

test('an attribute that comes late is seen when devices come or go, and in a minute at the latest', () => {
  for (const how of ['event', 'minute'] as const) {
    const { disk, scrape, fresh, ...when } = devicesOf(zone, { '/sys/zones/z0/type': 'cpu\n' });
    assert.deepEqual(seriesOf(scrape()), []);
    disk.write('/sys/zones/z0/temp', '5000\n');
    when[how]();
    assert.deepEqual(scrape(), fresh());
    assert.equal(seriesOf(scrape()).length, 1);
  }
});

test('fixed texts, links, paths and lists are looked at again when devices come or go, and in a minute at the latest', () => {
  for (const how of ['event', 'minute'] as const) {
    const { disk, scrape, fresh, layouts, ...when } = devicesOf(
      (device, out) => {
        const { id } = device;
        out.sample(word, 1, id, device.fixed('serial') ?? 'no serial');
        out.sample(word, 2, id, `link ${device.link('driver')}`);
        out.sample(word, 3, id, `real ${device.real('driver')}`);
        out.sample(word, 4, id, `list ${device.list().join()} ${device.list('below').join()}`);
      },
      { '/sys/zones/z0/serial': ' 12\n' },
    );
    const first = scrape();
    assert.deepEqual(seriesOf(first), [
      'node_word{word="12",zone="z0"} 1',
      'node_word{word="link undefined",zone="z0"} 2',
      'node_word{word="list serial ",zone="z0"} 4',
      'node_word{word="real undefined",zone="z0"} 3',
    ]);
    disk.asked();
    scrape();
    assert.deepEqual(disk.asked(), ['list /sys/zones'], 'not before');
    const changes: ((memory: Memory) => void)[] = [
      (memory) => memory.write('/sys/zones/z0/serial', '13\n'),
      (memory) => memory.pointTo('/sys/zones/z0/driver', '/sys/zones/z0'),
      (memory) => memory.write('/sys/zones/z0/below/b', ''),
      (memory) => memory.remove('/sys/zones/z0/serial'),
      (memory) => memory.remove('/sys/zones/z0/driver'),
    ];
    for (const change of changes) {
      change(disk);
      const before = layouts();
      when[how]();
      assert.deepEqual(scrape(), fresh());
      assert.equal(layouts(), before + 1);
    }
  }
});

test('text that is no number is a fault of its device, until it is one', () => {
  const { scrape, disk, fresh } = devicesOf(zone);
  disk.write('/sys/zones/z0/temp', 'hot\n');
  for (let i = 0; i < 2; i += 1) {
    const ran = scrape();
    assert.deepEqual(seriesOf(ran), ['node_temp{type="gpu",zone="z1"} 42']);
    assert.deepEqual(ran.faults, ['ParseError: /sys/zones/z0/temp: cannot parse "hot"']);
  }
  disk.write('/sys/zones/z0/temp', '1000\n');
  assert.deepEqual(scrape(), fresh());
  for (const none of ['', '\n', ' ']) {
    disk.write('/sys/zones/z0/temp', none);
    assert.deepEqual([seriesOf(scrape()).length, scrape().faults], [1, []]);
  }
});

test('a device that throws is left out whole, and does not silence the others', () => {
  const { scrape, disk, fresh } = devicesOf((device, out) => {
    out.sample(temp, 1, device.id, 'before');
    if (device.word('type') === 'gpu') throw new ParseError('type', 'gpu');
    out.sample(temp, device.number('temp'), device.id, 'after');
  });
  const ran = scrape();
  assert.deepEqual(seriesOf(ran), ['node_temp{type="after",zone="z0"} 41000', 'node_temp{type="before",zone="z0"} 1']);
  assert.deepEqual(ran.faults, ['ParseError: type: cannot parse "gpu"']);
  disk.write('/sys/zones/z1/type', 'cpu\n');
  assert.deepEqual(scrape(), fresh());
  assert.equal(seriesOf(scrape()).length, 4);
});

for (const code of ['EOVERFLOW', 'EPROTO', 'Unknown system error -75'])
  test(`an attribute that answers ${code}, which nobody expects, costs itself alone, and comes back`, () => {
    const { scrape, disk, fresh } = devicesOf(zone);
    scrape();
    disk.write('/sys/zones/z0/temp', '1000\n');
    disk.refuse('/sys/zones/z0/type', code);
    for (let i = 0; i < 2; i += 1) {
      const ran = scrape();
      const left = ['node_temp{type="",zone="z0"} 1', 'node_temp{type="gpu",zone="z1"} 42'];
      assert.deepEqual([seriesOf(ran), ran.thrown], [left, undefined]);
      assert.match(ran.faults.join(), new RegExp(`^Error: ${code}: refused, '/sys/zones/z0/type'$`));
    }
    disk.refuse('/sys/zones/z0/type');
    assert.deepEqual(scrape(), fresh());
    assert.match(scrape().text, /^node_temp\{type="cpu",zone="z0"\} 1$/m);
  });

test('a bug of ours is not taken for a fault of the device', () => {
  const { scrape } = devicesOf(() => {
    throw new TypeError('ours');
  });
  assert.equal(scrape().thrown, 'TypeError: ours');
});

test('a layout that failed for a bug is done again', () => {
  let isBroken = false;
  const { scrape, disk, fresh } = devicesOf((device, out) => {
    const [value, type] = [device.number('temp'), device.word('type')];
    if (isBroken) throw new TypeError('ours');
    out.sample(temp, value, device.id, type ?? '');
  });
  scrape();
  isBroken = true;
  disk.write('/sys/zones/z0/temp', '1000\n');
  disk.write('/sys/zones/z0/type', 'new\n');
  assert.equal(scrape().thrown, 'TypeError: ours');
  isBroken = false;
  assert.deepEqual(scrape(), fresh());
});

test('a folder that is absent is what `ifAbsent` says', () => {
  assert.match(devicesOf(zone, {}).scrape().thrown ?? '', /ENOENT/);
  const nothing = devicesOf(zone, {}, { ifAbsent: () => {} });
  assert.deepEqual(seriesOf(nothing.scrape()), []);
  nothing.disk.write('/sys/zones/z0/temp', '1000\n');
  assert.equal(seriesOf(nothing.scrape()).length, 1, 'it has come');
  nothing.disk.remove('/sys/zones');
  assert.deepEqual(seriesOf(nothing.scrape()), []);
  const none = (): never => {
    throw new NoDataError('none');
  };
  assert.equal(devicesOf(zone, {}, { ifAbsent: none }).scrape().thrown, 'NoDataError: none');
});

test('devices in thousands let others run, and are written whole', async () => {
  const files = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`/sys/zones/z${i}/temp`, `${i}000\n`]));
  const source = createSource({ disk: createMemory(files) });
  const part = source.openTree('/sys').devices('zones', /^z/, (device, out) => {
    out.sample(temp, device.number('temp')?.over(1000), device.id, '');
  });
  let asked = 0;
  const turn: Turn = {
    signal: new AbortController().signal,
    leftMs: () => 1000,
    pause: () => (asked++ % 3 === 2 ? new Promise((resolve) => setImmediate(resolve)) : undefined),
  };
  const samples = new Samples();
  for (let i = 0; i < 2; i += 1) {
    source.clock.begin();
    samples.begin();
    const work = part(samples, turn);
    assert.ok(work instanceof Promise);
    assert.equal(samples.blockCount, 1, 'nothing is written before all devices are');
    await work;
    samples.close();
    assert.equal(render([samples]).text.match(/^node_temp/gm)?.length, 10);
  }
  assert.equal(source.clock.layouts, 10);
});

test('lines of a device: an odd one costs itself alone', () => {
  const { scrape, disk, fresh } = devicesOf(
    (device, out) =>
      device.lines('stat')?.each((line: Line) => out.sample(word, line.uint(1), device.id, line.word(0))),
    { '/sys/zones/z0/stat': 'a 1\nb x\n' },
  );
  const ran = scrape();
  assert.deepEqual(
    [seriesOf(ran), ran.faults],
    [['node_word{word="a",zone="z0"} 1'], ['ParseError: /sys/zones/z0/stat: cannot parse "b x"']],
  );
  disk.write('/sys/zones/z0/stat', 'a 1\nb 2\n');
  assert.deepEqual(scrape(), fresh());
});
