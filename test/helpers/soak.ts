// What comes and goes while an exporter is soaked, and what it must say of it then.
import { execFile } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A thing of the machine: it has a value, or is not there. */
export interface Thing {
  readonly collector: string;
  /** The family and the labels in which it is seen. */
  readonly series: readonly string[];
  /** Makes it come, go or become another, and answers what its series are from then on. */
  change(): Promise<number | undefined>;
}

/** A thing with what is known of it. */
export interface Watched extends Thing {
  value: number | undefined;
  isChanging: boolean;
  /** Monotonic milliseconds. */
  changedAt: number;
}

export const watched = (thing: Thing): Watched => ({
  ...thing,
  value: undefined,
  isChanging: false,
  changedAt: performance.now(),
});

export async function changeNow(thing: Watched): Promise<void> {
  if (thing.isChanging) return;
  thing.isChanging = true;
  try {
    thing.value = await thing.change();
  } finally {
    thing.changedAt = performance.now();
    thing.isChanging = false;
  }
}

export function interfaceThing(name: string): Thing {
  let mtu = 0;
  return {
    collector: 'netclass',
    series: [`node_network_mtu_bytes{device="${name}"}`],
    async change() {
      mtu = mtu === 0 ? 1300 : 0;
      await run('ip', mtu === 0 ? ['link', 'del', name] : ['link', 'add', name, 'mtu', String(mtu), 'type', 'ifb']);
      return mtu || undefined;
    },
  };
}

const MOUNT_BYTES = 1 << 20;

export function mountThing(at: string): Thing {
  let isThere = false;
  mkdirSync(at);
  return {
    collector: 'filesystem',
    series: [`node_filesystem_size_bytes{device="soak",device_error="",fstype="tmpfs",mountpoint="${at}"}`],
    async change() {
      isThere = !isThere;
      if (isThere) await run('mount', ['-t', 'tmpfs', '-o', `size=${MOUNT_BYTES}`, 'soak', at]);
      else await run('umount', ['--lazy', at]);
      return isThere ? MOUNT_BYTES : undefined;
    },
  };
}

export function textThing(folder: string, name: string): Thing {
  let value = 0;
  const path = join(folder, `${name}.prom`);
  return {
    collector: 'textfile',
    series: [`soak_text{name="${name}"}`],
    async change() {
      value += 1;
      if (value % 4 === 0) {
        rmSync(path);
        return undefined;
      }
      writeFileSync(`${path}.new`, `soak_text{name="${name}"} ${value}\n`);
      renameSync(`${path}.new`, path);
      return value;
    },
  };
}

export interface Point {
  readonly second: number;
  readonly residentMib: number;
  readonly threads: number;
  readonly descriptors: number;
}

const WIDTH = 760;
const HEIGHT = 110;
const LEFT = 60;

/** One line over time for each of these, from 0. */
export function plotOf(points: readonly Point[]): string {
  const lines = [
    ['resident memory, MiB', points.map((point) => point.residentMib)],
    ['threads', points.map((point) => point.threads)],
    ['descriptors', points.map((point) => point.descriptors)],
  ] as const;
  const last = points.at(-1)?.second ?? 1;
  const charts = lines.map(([name, values], i) => {
    const top = Math.max(...values) * 1.2;
    const y = (value: number): number => HEIGHT * (i + 1) - 10 - (value / top) * (HEIGHT - 40);
    const at = points.map(({ second }, k) => {
      const x = LEFT + (second / last) * (WIDTH - LEFT - 10);
      return `${x.toFixed(1)},${y(values[k] as number).toFixed(1)}`;
    });
    const most = Math.max(...values);
    return `<text x="${LEFT}" y="${HEIGHT * i + 18}">${name}: at most ${Math.round(most)}, in the end ${Math.round(values.at(-1) as number)}</text>
<text class="small" x="10" y="${(y(0) + 4).toFixed(1)}">0</text>
<text class="small" x="10" y="${(y(most) + 4).toFixed(1)}">${Math.round(most)}</text>
<polyline points="${at.join(' ')}"/>`;
  });
  const height = HEIGHT * lines.length + 24;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">
<title>Resident memory, threads and descriptors over ${Math.round(last / 60)} minutes</title>
<style>
  .ground { fill: #ffffff; }
  text { font: 14px sans-serif; fill: #1f2328; }
  .small { font-size: 12px; fill: #59636e; }
  polyline { fill: none; stroke: #1a7f37; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    polyline { stroke: #3fb950; }
  }
</style>
<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>
${charts.join('\n')}
<text class="small" x="${LEFT}" y="${height - 8}">0</text>
<text class="small" x="${WIDTH - 60}" y="${height - 8}">${Math.round(last)} s</text>
</svg>
`;
}
