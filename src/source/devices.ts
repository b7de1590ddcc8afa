import { Block } from '../core/block.ts';
import { ExporterError, isRefusal } from '../core/errors.ts';
import type { Collect, DeviceLayout, PartOptions, Tree, Turn } from '../core/host.ts';
import { LaidSamples, setReadings } from '../core/laid_samples.ts';
import type { Writer } from '../core/writer.ts';
import { DeviceInputs } from './attributes.ts';
import type { SourceClock } from './clock.ts';
import type { TreeFile } from './file.ts';
import { hasMoved, isRead } from './table.ts';

/** What devices need of their tree. */
export interface DeviceContext {
  readonly tree: Tree;
  readonly clock: SourceClock;
  /** An attribute, that only its device reads. */
  attribute(path: string): TreeFile;
  /** What tells the device at a path from another that is made later under its name. */
  identityOf(path: string): number | undefined;
  /** Whether the kernel reports devices that come and go. */
  readonly isTold: boolean;
  /** The text of an attribute that is not looked at again soon; `undefined` where there is nothing. */
  textOf(path: string): string | undefined;
}

/** A device that is laid out. */
interface Laid {
  readonly inputs: DeviceInputs;
  readonly samples: LaidSamples;
  readonly numbers: Float64Array;
  /** Where its series begin in the block. */
  from: number;
}

/** Lays out each of these devices alone, and follows it. */
export function createDevices(
  context: DeviceContext,
  folderPath: string,
  pattern: RegExp,
  layout: DeviceLayout,
  { ifAbsent, beside = [] }: PartOptions = {},
): Collect {
  const { tree } = context;
  const besides = beside.map(() => -1);
  const folder = tree.folder(folderPath);
  const block = new Block();
  let listed: readonly string[] = [];
  let names: readonly string[] = [];
  let laid: (Laid | undefined)[] = [];
  let isStale = true;

  /** Takes over what is laid out of the devices that are still there. */
  const adopt = (now: readonly string[]): void => {
    listed = now;
    const before = new Map(names.map((name, i) => [name, laid[i]]));
    names = now.filter((name) => pattern.test(name));
    laid = names.map((name) => before.get(name));
    for (const name of names) before.delete(name);
    for (const gone of before.values()) gone?.inputs.close();
    isStale = true;
  };

  /** Everything is laid out again. */
  const forget = (): void => {
    for (const device of laid) device?.inputs.close();
    laid = names.map(() => undefined);
    isStale = true;
  };

  const update = (i: number): void => {
    const before = laid[i];
    if (before !== undefined && before.from >= 0) {
      const state = before.inputs.follow(before.numbers);
      if (state === 'same') return;
      if (state === 'moved') {
        setReadings(block, before.from, before.samples.values, before.numbers);
        return;
      }
    }
    // Whatever is thrown from here on, it is laid out again.
    laid[i] = undefined;
    before?.inputs.close();
    laid[i] = layOut(context, folderPath, names[i] as string, layout);
    isStale = true;
  };

  const write = (out: Writer): void => {
    if (isStale) compose(block, laid);
    isStale = false;
    out.put(block);
    for (const device of laid) {
      for (const name of device?.samples.names ?? []) out.passedOver(name);
      for (const fault of device?.samples.faults ?? []) out.fault(fault);
    }
  };

  const goOn = async (first: number, wait: Promise<void>, out: Writer, turn: Turn): Promise<void> => {
    await wait;
    for (let i = first; i < names.length; i += 1) {
      update(i);
      await turn.pause();
    }
    write(out);
  };

  return (out, turn) => {
    let now: readonly string[] = [];
    const list = (): void => {
      now = folder.names();
    };
    if (!isRead(list, ifAbsent)) return undefined;
    if (now !== listed) adopt(now);
    if (hasMoved(beside, besides)) forget();
    for (let i = 0; i < names.length; i += 1) {
      update(i);
      const wait = turn.pause();
      if (wait !== undefined) return goOn(i + 1, wait, out, turn);
    }
    write(out);
    return undefined;
  };
}

/** Bugs of ours are not the device's. */
const isOfDevice = (error: unknown): boolean => error instanceof ExporterError || isRefusal(error);

function layOut(context: DeviceContext, folderPath: string, name: string, layout: DeviceLayout): Laid {
  context.clock.layouts += 1;
  const samples = new LaidSamples();
  const inputs = new DeviceInputs(context, `${folderPath}/${name}`, samples);
  try {
    layout(inputs.device(name), samples);
  } catch (error) {
    if (!isOfDevice(error)) {
      inputs.close();
      throw error;
    }
    samples.undo(0);
    samples.fault(error);
    inputs.isBroken = isRefusal(error);
  }
  inputs.compile();
  return { inputs, samples, numbers: Float64Array.from(inputs.numbers), from: -1 };
}

/** Puts the series of all devices one after the other, unless they stand there so. */
function compose(block: Block, devices: readonly (Laid | undefined)[]): void {
  let at = 0;
  let labelAt = 0;
  let same = true;
  for (const device of devices) {
    if (device === undefined) continue;
    const { samples } = device;
    same &&= at + samples.families.length <= block.count && samples.isIn(block, at, labelAt);
    device.from = at;
    at += samples.families.length;
    labelAt += samples.labels.length;
  }
  if (same && at === block.count) {
    for (const device of devices) if (device !== undefined) setAll(block, device);
    return;
  }
  block.cut(0, 0);
  for (const device of devices) device?.samples.addTo(block, device.numbers);
}

function setAll(block: Block, { samples, numbers, from }: Laid): void {
  for (const [i, value] of samples.values.entries())
    block.set(from + i, typeof value === 'number' ? value : value.of(numbers));
}
