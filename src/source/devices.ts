import { Block } from '../core/block.ts';
import { DeadlineError, isOfInput, isRefusal } from '../core/errors.ts';
import type { Collect, DeviceLayout, PartOptions, Tree, Turn } from '../core/host.ts';
import { LaidSamples, setReadings } from '../core/laid_samples.ts';
import type { Writer } from '../core/writer.ts';
import { DeviceInputs } from './attributes.ts';
import type { SourceClock } from './clock.ts';
import type { TreeFile } from './file.ts';
import { absenceOf, hasMoved, isRead } from './table.ts';

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
  /** Called once for each path that is refused. */
  onRefused(path: string, error: unknown): void;
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
  const folder = context.tree.folder(folderPath);
  const besides = beside.map(() => -1);
  const absence = absenceOf(context.tree.path(folderPath));
  const devices = new Devices(context, folderPath, pattern, layout);
  return (out, turn) => {
    if (!isRead(folder.failure(), ifAbsent, out, absence)) return undefined;
    devices.adopt(folder.names());
    if (hasMoved(beside, besides, out)) devices.forget();
    return devices.collect(out, turn);
  };
}

/** The devices of a folder, and what is written of them. */
class Devices {
  readonly #context: DeviceContext;
  readonly #folderPath: string;
  readonly #pattern: RegExp;
  readonly #layout: DeviceLayout;
  /** What is remarked where nothing is written. */
  #emptiness: string;
  readonly #block = new Block();
  #listed: readonly string[] = [];
  #names: readonly string[] = [];
  #laid: (Laid | undefined)[] = [];
  #isStale = true;

  constructor(context: DeviceContext, folderPath: string, pattern: RegExp, layout: DeviceLayout) {
    this.#context = context;
    this.#folderPath = folderPath;
    this.#pattern = pattern;
    this.#layout = layout;
    this.#emptiness = this.#emptinessOf(0);
  }

  #emptinessOf(count: number): string {
    const path = this.#context.tree.path(this.#folderPath);
    return count === 0 ? `no device in ${path}` : `no device in ${path} has the files`;
  }

  /** Takes over what is laid out of the devices that are still there. */
  adopt(listed: readonly string[]): void {
    if (listed === this.#listed) return;
    this.#listed = listed;
    const before = new Map(this.#names.map((name, i) => [name, this.#laid[i]]));
    this.#names = listed.filter((name) => this.#pattern.test(name));
    this.#laid = this.#names.map((name) => before.get(name));
    this.#emptiness = this.#emptinessOf(this.#names.length);
    for (const name of this.#names) before.delete(name);
    for (const gone of before.values()) gone?.inputs.close();
    this.#isStale = true;
  }

  /** Everything is laid out again. */
  forget(): void {
    for (const device of this.#laid) device?.inputs.close();
    this.#laid = this.#names.map(() => undefined);
    this.#isStale = true;
  }

  collect(out: Writer, turn: Turn): Promise<void> | undefined {
    for (let i = 0; i < this.#names.length; i += 1) {
      this.#update(i);
      const wait = turn.pause();
      if (wait !== undefined) return this.#goOn(i + 1, wait, out, turn);
    }
    this.#write(out);
    return undefined;
  }

  async #goOn(first: number, wait: Promise<void>, out: Writer, turn: Turn): Promise<void> {
    await wait;
    for (let i = first; i < this.#names.length; i += 1) {
      this.#update(i);
      await turn.pause();
    }
    this.#write(out);
  }

  #update(i: number): void {
    const before = this.#laid[i];
    if (before !== undefined && before.from >= 0) {
      const state = before.inputs.follow(before.numbers);
      if (state === 'same') return;
      if (state === 'moved') {
        setReadings(this.#block, before.from, before.samples.values, before.numbers);
        return;
      }
    }
    // Whatever is thrown from here on, it is laid out again.
    this.#laid[i] = undefined;
    before?.inputs.close();
    this.#laid[i] = layOut(this.#context, this.#folderPath, this.#names[i] as string, this.#layout);
    this.#isStale = true;
  }

  #write(out: Writer): void {
    if (this.#isStale) compose(this.#block, this.#laid);
    this.#isStale = false;
    out.put(this.#block);
    if (this.#block.count === 0) out.remark(this.#emptiness);
    for (const device of this.#laid) {
      if (device === undefined) continue;
      for (const name of device.samples.names) out.passedOver(name);
      for (const fault of device.samples.faults) out.fault(fault);
    }
  }
}

function layOut(context: DeviceContext, folderPath: string, name: string, layout: DeviceLayout): Laid {
  context.clock.layouts += 1;
  const samples = new LaidSamples();
  const inputs = new DeviceInputs(context, `${folderPath}/${name}`, samples);
  try {
    layout(inputs.device(name), samples);
  } catch (error) {
    if (!isOfInput(error)) {
      inputs.close();
      throw error;
    }
    samples.undo(0);
    samples.fault(error);
    inputs.isBroken = isRefusal(error) || error instanceof DeadlineError;
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
    for (const device of devices)
      if (device !== undefined) setReadings(block, device.from, device.samples.values, device.numbers);
    return;
  }
  block.cut(0, 0);
  for (const device of devices) device?.samples.addTo(block, device.numbers);
}
