// What Debian's perf(1) makes of an event's text: it is asked on a sysfs of ours, and prints what it gives to the kernel.
import { spawnSync } from 'node:child_process';
import process from 'node:process';

export interface Attr {
  readonly type: number;
  /** In hexadecimal. */
  readonly config: string;
  readonly config1: string;
  readonly config2: string;
  /** `exclude_user` and so on, sorted. */
  readonly excludes: readonly string[];
}

const number = (block: string, name: string): bigint =>
  BigInt(new RegExp(`${name}[ }]+(\\S+)`, 'm').exec(block)?.[1] ?? 0);

function parseAttr(block: string): Attr {
  const hex = (name: string): string => `0x${number(block, name).toString(16)}`;
  return {
    type: Number(number(block, '^ +type')),
    config: hex('^ +config'),
    config1: hex('config1'),
    config2: hex('config2'),
    excludes: [...block.matchAll(/\bexclude_(\w+) +1/g)].map(([, name]) => `exclude_${name}`).sort(),
  };
}

/** The attributes, each once, in order. perf tries the same event again with fewer fields where the kernel refuses it. */
export function askPerf(sysfs: string, text: string): Attr[] {
  const env = { ...process.env, SYSFS_PATH: sysfs };
  const { stderr } = spawnSync('perf', ['stat', '-vv', '-a', '-e', text, 'true'], { env, encoding: 'utf8' });
  const blocks = stderr.split('perf_event_attr:\n').slice(1);
  const attrs = blocks.map((block) => parseAttr(block.split('---')[0] ?? ''));
  const unique = new Map<string, Attr>();
  for (const attr of attrs) {
    const key = JSON.stringify({ ...attr, excludes: [] });
    if (!unique.has(key)) unique.set(key, attr);
  }
  if (unique.size === 0) throw new Error(`perf says of ${text}: ${stderr.slice(-400)}`);
  return [...unique.values()];
}
