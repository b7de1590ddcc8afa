import type { DeviceLayout, PartOptions } from '../../src/core/host.ts';
import { gauge } from '../../src/core/metric.ts';
import { LOOK_MS } from '../../src/source/clock.ts';
import { createMemory } from './memory.ts';
import { livesOf, type Ran } from './table.ts';

export const temp = gauge('node_temp', 'T.', 'zone', 'type');
export const word = gauge('node_word', 'W.', 'zone', 'word');

export const zone: DeviceLayout = (device, out) => {
  out.sample(temp, device.number('temp')?.over(1000), device.id, device.word('type') ?? '');
};

export const ZONES = {
  '/sys/zones/z0/temp': '41000\n',
  '/sys/zones/z0/type': 'cpu\n',
  '/sys/zones/z1/temp': '42000\n',
  '/sys/zones/z1/type': 'gpu\n',
  '/sys/zones/other/temp': '1\n',
};

/** Devices in memory; `scrape` follows what was laid out, `fresh` lays it out in another process. */
export function devicesOf(
  layout: DeviceLayout,
  files: Readonly<Record<string, string>> = ZONES,
  options: PartOptions = {},
) {
  const disk = createMemory(files);
  let time = 0;
  let events = 0;
  const lives = livesOf({ disk, now: () => time, events: () => events }, (source) =>
    source.openTree('/sys').devices('zones', /^z/, layout, options),
  );
  return {
    ...lives,
    disk,
    /** The kernel reports a device. */
    event: (): void => {
      events += 1;
    },
    minute: (): void => {
      time += LOOK_MS;
    },
  };
}

export const seriesOf = ({ text }: Ran): string[] =>
  text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
