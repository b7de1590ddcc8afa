import { noData, nothing, refusalOf } from '../core/absent.ts';
import { type Collect, defineCollector } from '../core/collector.ts';
import { ParseError, unlessOdd } from '../core/errors.ts';
import { gauge } from '../core/metric.ts';
import { fields, lines, uint } from '../core/text.ts';

export interface MdArray {
  readonly name: string;
  /** `active`, `inactive`, `broken`, or what is going on: `recovering`, `resyncing`, `checking`, `reshaping`. */
  readonly state: string;
  readonly disksActive: number;
  readonly disksFailed: number;
  readonly disksSpare: number;
  readonly disksRequired: number;
  /** Of 1024 bytes. */
  readonly blocks: number;
  /** `undefined` where the kernel does not tell: another node of a cluster synchronises. */
  readonly blocksSynced: number | undefined;
}

/** `12 blocks super 1.2 [2/1] [U_]`: disks required, disks active. */
const DISKS = /\[(\d+)\/(\d+)\] \[[A-Z_]+\]/;
/** `recovery = 12.6% (37043392/292945152)` */
const PROGRESS = /\((\d+)\/\d+\)/;
/** `[==>....]  recovery = 12.6% …`, `resync=DELAYED`; other lines hold names of files, which may be any words. */
const SYNC = /^\s*(?:\[[=>.]*\]\s+)?(recovery|recover|reshape|check|resync)\s*=/;
const STATE_OF_SYNC: Readonly<Record<string, string>> = {
  recovery: 'recovering',
  // Of another node of a cluster: `recover=REMOTE`.
  recover: 'recovering',
  reshape: 'reshaping',
  check: 'checking',
  resync: 'resyncing',
};

/** A disk of an array: `sda1[0]`, `sdb1[1](F)`. */
const DISK = /\[\d+\]/;

export interface Mdstat {
  readonly arrays: readonly MdArray[];
  /** Arrays that cannot be read. */
  readonly faults: readonly ParseError[];
}

const isBelow = (line: string | undefined): boolean => line !== undefined && /^\s/.test(line);

/** Parses `/proc/mdstat`: a line for each array, indented lines below it. https://docs.kernel.org/admin-guide/md.html */
export function parseMdstat(text: string): Mdstat {
  const arrays: MdArray[] = [];
  const faults: ParseError[] = [];
  const all = lines(text).filter((line) => line.trim() !== '');
  if (all.length === 0) throw new ParseError('mdstat', '');
  for (const [i, line] of all.entries()) {
    if (/^(\s|unused devices|Personalities :)/.test(line)) continue;
    let end = i + 1;
    while (isBelow(all[end])) end += 1;
    unlessOdd(faults, () => arrays.push(parseArray(line, all.slice(i + 1, end))));
  }
  return { arrays, faults };
}

function parseArray(line: string, [status = '', ...below]: readonly string[]): MdArray {
  const [name = '', colon, activity, ...more] = fields(line);
  const blocks = uint(fields(status)[0]);
  if (colon !== ':' || activity === undefined) throw new ParseError('mdstat', line);
  if (blocks === undefined) throw new ParseError('mdstat', status === '' ? line : status);
  const disks = more.filter((word) => DISK.test(word));
  const level = more.find((word) => !word.startsWith('(') && !DISK.test(word));
  const [disksRequired, disksActive] = disksOf(activity, level, disks.length, status);
  const syncLine = below.find((each) => SYNC.test(each));
  const sync = SYNC.exec(syncLine ?? '')?.[1];
  return {
    name,
    state: sync === undefined ? activity : (STATE_OF_SYNC[sync] as string),
    disksActive,
    disksFailed: disks.filter((disk) => disk.includes('(F)')).length,
    disksSpare: disks.filter((disk) => disk.includes('(S)')).length,
    disksRequired,
    blocks,
    blocksSynced: syncLine === undefined ? blocks : blocksSynced(syncLine),
  };
}

function disksOf(
  activity: string,
  level: string | undefined,
  disks: number,
  status: string,
): [required: number, active: number] {
  // Without redundancy there are no counts: every disk is needed.
  if (level === 'raid0' || level === 'linear') return [disks, disks];
  if (activity === 'inactive') return [0, 0];
  const [, required, active] = DISKS.exec(status) ?? [];
  if (required === undefined) throw new ParseError('mdstat', status);
  return [Number(required), Number(active)];
}

function blocksSynced(line: string): number | undefined {
  if (line.includes('PENDING') || line.includes('DELAYED')) return 0;
  if (line.includes('REMOTE')) return undefined;
  const synced = uint(PROGRESS.exec(line)?.[1]);
  if (synced === undefined) throw new ParseError('mdstat', line);
  return synced;
}

const REDUNDANT: readonly string[] = ['raid1', 'raid4', 'raid5', 'raid6', 'raid10'];
const CONTAINERS: readonly string[] = ['', 'container', 'imsm', 'ddf'];

export default defineCollector({
  name: 'mdadm',
  help: 'Exposes software RAID arrays (md).',
  enabled: true,
  reads: ['/proc/mdstat', '/sys/block/<md>/md/*'],
  flags: {},
  metrics: {
    state: gauge('node_md_state', 'Whether the array is in this state (1).', 'device', 'state'),
    disks: gauge('node_md_disks', 'Disks of the array in this state.', 'device', 'state'),
    disksRequired: gauge('node_md_disks_required', 'Disks that the array needs to be whole.', 'device'),
    blocks: gauge('node_md_blocks', 'Size in blocks of 1024 bytes.', 'device'),
    blocksSynced: gauge(
      'node_md_blocks_synced',
      'Blocks that are in step on all disks, as far as the work under way has come.',
      'device',
    ),
    raidDisks: gauge('node_md_raid_disks', 'Disks that a whole array has.', 'device'),
    degraded: gauge('node_md_degraded', 'Disks that the array lacks.', 'device'),
  },
  setup({ proc, sys }, metrics) {
    const states = [
      ['active', 'active'],
      ['inactive', 'inactive'],
      ['recovering', 'recovering'],
      ['resync', 'resyncing'],
      ['check', 'checking'],
    ] as const;
    // Replaced when the module is loaded anew.
    const file = proc.passing('mdstat');
    const mdstat = file.as(parseMdstat);
    const none = noData('no software RAID');
    const arrays: Collect = (out) => {
      const known = mdstat(out);
      if (known === undefined) return out.fault(refusalOf([file]) ?? none());
      for (const { name, blocksSynced: synced, ...array } of known.arrays) {
        for (const [label, state] of states) out.sample(metrics.state, array.state === state ? 1 : 0, name, label);
        out.sample(metrics.disks, array.disksActive, name, 'active');
        out.sample(metrics.disks, array.disksFailed, name, 'failed');
        out.sample(metrics.disks, array.disksSpare, name, 'spare');
        out.sample(metrics.disksRequired, array.disksRequired, name);
        out.sample(metrics.blocks, array.blocks, name);
        out.sample(metrics.blocksSynced, synced, name);
      }
      for (const fault of known.faults) out.fault(fault);
    };
    const devices = sys.devices(
      'block',
      /^md/,
      (md, out) => {
        const level = md.word('md/level');
        if (level === undefined && md.list('md').length === 0) return;
        // While its shape changes an array has two numbers: `4 (3)`, the new one first.
        const shape = md.word('md/raid_disks');
        const raidDisks = uint(shape?.split(' ')[0]);
        if (shape !== undefined && raidDisks === undefined)
          out.fault(new ParseError(`${md.path}/md/raid_disks`, shape));
        if (!CONTAINERS.includes(level ?? '')) out.sample(metrics.raidDisks, raidDisks, md.id);
        // Only an array with redundancy can lack disks; one that does not run does not say.
        const isRedundant = level !== undefined && REDUNDANT.includes(level);
        out.sample(metrics.degraded, isRedundant ? md.number('md/degraded') : 0, md.id);
      },
      { ifAbsent: nothing },
    );
    return [arrays, devices];
  },
});
