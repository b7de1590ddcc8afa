import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { DeviceLayout } from '../../src/core/host.ts';
import { devicesOf, temp, word } from '../helpers/devices.ts';
import type { Memory } from '../helpers/memory.ts';

const asWord = (device: Parameters<DeviceLayout>[0], file: string): string => device.word(file) ?? 'none';

const WAYS: Readonly<Record<string, DeviceLayout>> = {
  'a word and a number': (device, out) => out.sample(word, device.number('x'), device.id, asWord(device, 'x')),
  'a number and then a word': (device, out) => {
    const number = device.number('x');
    out.sample(word, number, device.id, asWord(device, 'x'));
  },
  'a word and then a number': (device, out) => {
    const text = asWord(device, 'x');
    out.sample(word, device.number('x'), device.id, text);
  },
  'a number in two ways': (device, out) => {
    out.sample(word, device.number('x'), device.id, 'number');
    out.sample(word, device.auto('x'), device.id, 'auto');
  },
  'lines and a word': (device, out) => {
    const line = device.lines('x')?.at(0);
    out.sample(word, line?.number(0), device.id, asWord(device, 'x'));
  },
  'lines and a number': (device, out) => {
    device.lines('x')?.each((line, i) => out.sample(word, line.uint(0), device.id, `${i}`));
    out.sample(word, device.number('x'), device.id, 'whole');
  },
  'lines with words': (device, out) => {
    device.lines('x')?.each((line) => out.sample(word, line.number(1), device.id, line.word(0)));
  },
  'lines, asked for twice': (device, out) => {
    out.sample(word, device.lines('x')?.at(0)?.length, device.id, 'columns');
    out.sample(word, device.lines('x')?.length, device.id, 'lines');
  },
  'an attribute of a folder below': (device, out) => {
    const below = device.inside('y/z');
    out.sample(word, below.number('n'), device.id, `${below.id} ${asWord(device, 'x')}`);
  },
};

const content = fc.constantFrom(
  '1\n',
  '22\n',
  '010\n',
  'a 1\n',
  'b 1\n',
  'b 22\nc 3\n',
  'a x\n',
  '',
  '\n',
  '0x1f\n',
  '-5\n',
  '7\n8\n',
);
for (const [what, layout] of Object.entries(WAYS))
  test(`${what} of one attribute: followed equals new`, () => {
    fc.assert(
      fc.property(fc.array(content, { minLength: 2, maxLength: 6 }), fc.boolean(), (contents, isBelow) => {
        const { scrape, disk, fresh } = devicesOf(layout, { '/sys/zones/z0/x': '1\n', '/sys/zones/z0/y/z/n': '3\n' });
        for (const each of contents) {
          disk.write(isBelow ? '/sys/zones/z0/y/z/n' : '/sys/zones/z0/x', each);
          assert.deepEqual(scrape(), fresh(), JSON.stringify(each));
        }
      }),
    );
  });

type Act = (memory: Memory) => void;
const path = fc
  .tuple(fc.constantFrom('z0', 'z1', 'z2', 'a'), fc.constantFrom('temp', 'type', 'serial', 'sub/n'))
  .map(([a, b]) => `/sys/zones/${a}/${b}`);
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.tuple(path, content).map(
    ([at, text]): Act =>
      (memory) =>
        memory.write(at, text),
  ),
  fc.tuple(path, content).map(
    ([at, text]): Act =>
      (memory) =>
        memory.write(at, text),
  ),
  path.map(
    (at): Act =>
      (memory) =>
        memory.remove(at),
  ),
  fc.constantFrom('z0', 'z1', 'z2').map(
    (name): Act =>
      (memory) =>
        memory.remove(`/sys/zones/${name}`),
  ),
  fc.tuple(path, fc.constantFrom('EAGAIN', 'EACCES', 'EIO', 'EPROTO', 'EISDIR', undefined)).map(
    ([at, code]): Act =>
      (memory) =>
        memory.isThere(at) && memory.refuse(at, code),
  ),
);

const rich: DeviceLayout = (device, out) => {
  out.sample(temp, device.number('temp')?.over(1000), device.id, device.word('type') ?? '');
  out.sample(word, 1, device.id, `serial ${device.fixed('serial')}`);
  out.sample(word, device.inside('sub').auto('n'), device.id, `sub ${device.list('sub').length}`);
  device.lines('type')?.each((line) => out.sample(word, line.uint(1), device.id, line.word(0)));
};

test('devices that are followed equal new ones a minute later, whatever happens to their files', () => {
  fc.assert(
    fc.property(fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), (rounds) => {
      const { scrape, disk, fresh, minute } = devicesOf(rich);
      for (const acts of rounds) {
        for (const each of acts) each(disk);
        minute();
        if (!disk.isThere('/sys/zones')) return;
        assert.deepEqual(scrape(), fresh());
      }
    }),
    { numRuns: 800 },
  );
});
