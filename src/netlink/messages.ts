import { Block } from '../core/block.ts';
import { DeadlineError, ExporterError } from '../core/errors.ts';
import { closeUnused, type FilesBeside, hasOther } from '../core/files_beside.ts';
import type { KernelFile } from '../core/host.ts';
import { LaidSamples, setReadings } from '../core/laid_samples.ts';
import type { Message, MessageLayout, Messages, MessageTable } from '../core/network.ts';
import { Reading } from '../core/reading.ts';
import { decodeUtf8 } from '../core/utf8.ts';
import { attributeAfter, attributeType, bytesOf, needBytes, u64At, valueEnd, valueStart } from './attributes.ts';
import type { DumpRequest, Netlink } from './netlink.ts';

/** The scrape that is under way and the look that it takes; see `SourceClock`. */
export interface MessageClock {
  readonly scrape: number;
  readonly look: number;
  layouts: number;
}

/** One answer, copied out of the socket's buffer. */
class Dump {
  view: DataView;
  /** Where each message begins, and one more: where the last one ends. */
  starts = new Int32Array(64);
  count = 0;
  #bytes = new Uint8Array(16 << 10);
  #askedAt = 0;
  readonly #clock: MessageClock;
  readonly #ask: () => readonly [Netlink, DumpRequest];

  constructor(clock: MessageClock, ask: () => readonly [Netlink, DumpRequest]) {
    this.#clock = clock;
    this.#ask = ask;
    this.view = new DataView(this.#bytes.buffer);
  }

  /** Asks, unless that was done in this scrape. */
  ask(): void {
    const { scrape } = this.#clock;
    if (scrape !== 0 && scrape === this.#askedAt) return;
    this.#askedAt = 0;
    const [netlink, request] = this.#ask();
    netlink.fold(request, this.#begin, take);
    this.#askedAt = scrape;
  }

  readonly #begin = (): Dump => {
    this.count = 0;
    return this;
  };

  take(from: DataView, start: number, end: number): void {
    const at = this.starts[this.count] as number;
    // A multiple of four, as every message is.
    const length = (end - start + 3) & ~3;
    if (at + length > this.#bytes.length) {
      const larger = new Uint8Array((at + length) * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.view = new DataView(larger.buffer);
    }
    this.#bytes.set(new Uint8Array(from.buffer, from.byteOffset + start, end - start), at);
    this.#bytes.fill(0, at + end - start, at + length);
    this.count += 1;
    if (this.count === this.starts.length) {
      const more = new Int32Array(this.count * 2);
      more.set(this.starts);
      this.starts = more;
    }
    this.starts[this.count] = at + length;
  }
}

const take = (dump: Dump, view: DataView, start: number, end: number): void => dump.take(view, start, end);

/** What answers a question. `headBytes`: what stands before the attributes. `ask` may throw. */
export function createMessages(
  clock: MessageClock,
  headBytes: number,
  ask: () => readonly [Netlink, DumpRequest],
): Messages {
  const dump = new Dump(clock, ask);
  return {
    table: (layout) => createMessageTable(dump, clock, headBytes, layout),
    each(visit) {
      dump.ask();
      for (let i = 0; i < dump.count; i += 1) visit(dump.view, dump.starts[i] as number, dump.starts[i + 1] as number);
    },
  };
}

/** Kinds of numbers, by how many bytes. */
type Width = 1 | 2 | 4 | 8;

/** A message that was laid out: what of it must be as it was, and where its numbers stand. */
interface Laid {
  readonly length: number;
  /** What stands beside it did not answer in time: it is laid out again. */
  readonly isBroken: boolean;
  /** Offsets of four bytes each that must be the same, and these bytes. */
  readonly checks: Int32Array;
  readonly expected: Int32Array;
  /** Offset and width of each number. */
  readonly places: Int32Array;
  readonly samples: LaidSamples;
  readonly files: FilesBeside;
}

function createMessageTable(dump: Dump, clock: MessageClock, headBytes: number, layout: MessageLayout): MessageTable {
  const block = new Block();
  let laid: Laid[] = [];
  let look = clock.look;
  let numbers = new Float64Array(64);

  const follow = (message: Laid, start: number, length: number): boolean => {
    if (message.isBroken || message.length !== length || !isSame(message, dump.view, start)) return false;
    if (numbers.length < message.places.length) numbers = new Float64Array(message.places.length);
    takeNumbers(message, dump.view, start, numbers);
    return true;
  };
  const followAll = (): boolean => {
    if (dump.count !== laid.length || (clock.look > look && laid.some(hasOtherFile))) return false;
    let at = 0;
    for (let i = 0; i < dump.count; i += 1) {
      const [start, end] = [dump.starts[i] as number, dump.starts[i + 1] as number];
      const message = laid[i] as Laid;
      if (!follow(message, start, end - start)) return false;
      setReadings(block, at, message.samples.values, numbers);
      at += message.samples.families.length;
    }
    return true;
  };
  const layOutAll = (): void => {
    const before = laid.filter((message) => !hasOtherFile(message));
    const now: Laid[] = [];
    // Most stay in their order: what comes next is what came next.
    let next = 0;
    for (let i = 0; i < dump.count; i += 1) {
      const [start, end] = [dump.starts[i] as number, dump.starts[i + 1] as number];
      const found = findFrom(before, next, (message) => follow(message, start, end - start));
      if (found >= 0) next = found + 1;
      else clock.layouts += 1;
      now.push(found >= 0 ? (before[found] as Laid) : layOut(dump.view, start, end, headBytes, layout));
    }
    closeUnused(
      laid.map(({ files }) => files),
      now.map(({ files }) => files),
    );
    laid = now;
    const isSame = isLaidIn(block, laid);
    if (!isSame) block.cut(0, 0);
    let at = 0;
    for (const [i, message] of laid.entries()) {
      const [start, end] = [dump.starts[i] as number, dump.starts[i + 1] as number];
      follow(message, start, end - start);
      if (isSame) setReadings(block, at, message.samples.values, numbers);
      else message.samples.addTo(block, numbers);
      at += message.samples.families.length;
    }
  };

  const collect: MessageTable = Object.assign(
    (out: Parameters<MessageTable>[0]) => {
      dump.ask();
      if (!followAll()) layOutAll();
      look = Math.max(look, clock.look);
      out.put(block);
      for (const { samples } of laid) for (const fault of samples.faults) out.fault(fault);
    },
    {
      forget() {
        laid = [];
        block.cut(0, 0);
      },
    },
  );
  return collect;
}

/** Whether a block has the series of these messages, and no others. */
function isLaidIn(block: Block, laid: readonly Laid[]): boolean {
  let at = 0;
  let labelAt = 0;
  for (const { samples } of laid) {
    if (!samples.isIn(block, at, labelAt)) return false;
    at += samples.families.length;
    labelAt += samples.labels.length;
  }
  return at === block.count;
}

/** The place of the first that fits, going round from `start` on; -1 for none. */
function findFrom<T>(all: readonly T[], start: number, fits: (one: T) => boolean): number {
  for (let i = 0; i < all.length; i += 1) {
    const place = (start + i) % all.length;
    if (fits(all[place] as T)) return place;
  }
  return -1;
}

const hasOtherFile = ({ files }: Laid): boolean => hasOther(files);

function isSame({ checks, expected }: Laid, view: DataView, start: number): boolean {
  for (let i = 0; i < checks.length; i += 1)
    if (view.getInt32(start + (checks[i] as number), true) !== expected[i]) return false;
  return true;
}

function takeNumbers({ places }: Laid, view: DataView, start: number, numbers: Float64Array): void {
  for (let i = 0, place = 0; i < places.length; i += 2, place += 1)
    numbers[place] = numberAt(view, start + (places[i] as number), places[i + 1] as Width);
}

function numberAt(view: DataView, at: number, width: Width): number {
  if (width === 8) return u64At(view, at);
  if (width === 4) return view.getUint32(at, true);
  return width === 2 ? view.getUint16(at, true) : view.getUint8(at);
}

/** What a layout looks at in one message. */
class OpenMessage implements Message {
  readonly checks = new Set<number>();
  readonly places: number[] = [];
  readonly files = new Map<KernelFile, number>();
  readonly #view: DataView;
  readonly #start: number;
  readonly #attributes = new Map<number, number>();

  constructor(view: DataView, start: number, end: number, headBytes: number) {
    this.#view = view;
    this.#start = start;
    needBytes(start, end, headBytes);
    for (let at = start + headBytes, after = at; at + 4 <= end; at = after) {
      after = attributeAfter(view, at, end);
      this.checks.add(at - start);
      if (!this.#attributes.has(attributeType(view, at))) this.#attributes.set(attributeType(view, at), at);
    }
  }

  #reading(at: number, width: Width): Reading {
    this.places.push(at - this.#start, width);
    return new Reading(this.places.length / 2 - 1);
  }

  /** Where the value of an attribute begins that holds this much or more. */
  #holding(type: number, sizeBytes: number): number | undefined {
    const at = this.#attributes.get(type);
    if (at === undefined || valueEnd(this.#view, at) - valueStart(at) < sizeBytes) return undefined;
    return valueStart(at);
  }

  #look(from: number, to: number): void {
    for (let at = from & ~3; at < to; at += 4) this.checks.add(at - this.#start);
  }

  head(offset: number, width: 2 | 4): Reading {
    return this.#reading(this.#start + offset, width);
  }

  headWord(offset: number): number {
    this.#look(this.#start + offset, this.#start + offset + 4);
    return this.#view.getUint32(this.#start + offset, true);
  }

  #number(type: number, index: number, width: Width): Reading | undefined {
    const at = this.#holding(type, width * (index + 1));
    return at === undefined ? undefined : this.#reading(at + width * index, width);
  }

  u8(type: number): Reading | undefined {
    return this.#number(type, 0, 1);
  }

  u32(type: number): Reading | undefined {
    return this.#number(type, 0, 4);
  }

  u64At(type: number, index: number): Reading | undefined {
    return this.#number(type, index, 8);
  }

  u32At(type: number, index: number): Reading | undefined {
    return this.#number(type, index, 4);
  }

  #word(type: number, width: 1 | 4): number | undefined {
    const at = this.#holding(type, width);
    if (at === undefined) return undefined;
    this.#look(at, at + width);
    return numberAt(this.#view, at, width);
  }

  u8Word(type: number): number | undefined {
    return this.#word(type, 1);
  }

  u32Word(type: number): number | undefined {
    return this.#word(type, 4);
  }

  text(type: number): string | undefined {
    const bytes = this.bytes(type);
    if (bytes === undefined) return undefined;
    const zero = bytes.indexOf(0);
    return decodeUtf8(bytes, 0, zero < 0 ? bytes.length : zero);
  }

  bytes(type: number): Buffer | undefined {
    const at = this.#attributes.get(type);
    if (at === undefined) return undefined;
    this.#look(valueStart(at), valueEnd(this.#view, at));
    return Buffer.from(bytesOf(this.#view, at));
  }

  fixed(file: KernelFile): string | undefined {
    const text = file.tryText();
    this.files.set(file, file.version);
    return text;
  }
}

const everyWord = (sizeBytes: number): number[] => Array.from({ length: sizeBytes >> 2 }, (_, i) => i * 4);

/** One that cannot be laid out is a fault, and gives nothing as long as it is as it was. */
function layOut(view: DataView, start: number, end: number, headBytes: number, layout: MessageLayout): Laid {
  const samples = new LaidSamples();
  let message: OpenMessage | undefined;
  let whole = false;
  let isBroken = false;
  try {
    message = new OpenMessage(view, start, end, headBytes);
    layout(message, samples);
  } catch (error) {
    // Bugs of ours are not the message's.
    if (!(error instanceof ExporterError)) throw error;
    samples.undo(0);
    samples.fault(error);
    whole = true;
    isBroken = error instanceof DeadlineError;
  }
  const checks = whole ? everyWord(end - start) : [...(message?.checks ?? [])].sort((a, b) => a - b);
  const offsets = Int32Array.from(checks);
  return {
    length: end - start,
    isBroken,
    checks: offsets,
    expected: offsets.map((offset) => view.getInt32(start + offset, true)),
    places: Int32Array.from(message?.places ?? []),
    samples,
    files: message?.files ?? new Map(),
  };
}
