import { hasErrno, isRefusal, LimitError, NOTHING, ParseError, REFUSED, withPath } from '../core/errors.ts';
import type { Faults } from '../core/faults.ts';
import type { KernelFile } from '../core/host.ts';
import { NotYet } from '../core/not_yet.ts';
import { decodeName, decodeUtf8 } from '../core/utf8.ts';
import type { SourceClock } from './clock.ts';
import type { Descriptors, Keeper } from './descriptors.ts';
import { type Disk, FILE_BYTES_MAX } from './disk.ts';
import type { Guard } from './guard.ts';
import { takeNumber, takeWhole } from './numbers.ts';

/** What the files of a source share. */
export interface FileContext {
  readonly disk: Disk;
  readonly guard: Guard;
  readonly clock: SourceClock;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly descriptors: Descriptors;
  /** Grows where a file needs it, and is never given back. */
  readonly scratch: { bytes: Buffer };
  /** Called once for each path that was refused. */
  onRefused(path: string, error: unknown): void;
}

export interface FileTraits {
  /** Whether a descriptor may be kept: not of what is replaced, and not of what must not be held. */
  readonly isKept: boolean;
  /** Whether a process that is sealed could not open it again. */
  readonly isLasting: boolean;
  /** A first read that gives fewer bytes has given all of it. Otherwise a file ends with an empty read. */
  readonly wholeBytes: number;
  /** Whether the kernel reports when it comes: then what is absent is not looked for before that. */
  readonly isTold: boolean;
  /** Whether it is read at a look only. */
  readonly isSettled: boolean;
  /** A descriptor that others opened and that is read as long as the thing behind it is there. */
  readonly adopted?: { fd: number } | undefined;
  /** Whether the tree is the kernel's, where all that is no folder and no link is a regular file. */
  readonly isKernel: boolean;
  /** Whether reads are timed now and then. Those of procfs are as slow as the processor. */
  readonly isTimed: boolean;
  onClose(): void;
}

const NONE = Buffer.alloc(0);
const one = new Float64Array(1);

/** Below this a loop is cheaper than a call into native code. */
const NEAR = 48;

function isSame(a: Buffer, b: Buffer, length: number): boolean {
  if (length > NEAR) return a.compare(b, 0, length, 0, length) === 0;
  for (let i = 0; i < length; i += 1) if (a[i] !== b[i]) return false;
  return true;
}

/** A class, since a large machine has thousands of them. */
export class TreeFile implements KernelFile, Keeper {
  readonly path: string;
  bytes = NONE;
  length = 0;
  version = 0;
  readonly #context: FileContext;
  readonly #traits: FileTraits;
  #fd = -1;
  /** Of what `#fd` reads, outside of the kernel's trees. */
  #identity: number | undefined;
  #readAt = 0;
  #error: unknown;
  #text: string | undefined;
  #textVersion = -1;
  #number: number | undefined;
  #numberVersion = -1;
  /** The last read gave an error. */
  #isLost = false;
  #isAbsent = false;
  #absentAt = 0;
  #settledAt = -1;
  #timedAt = -1;

  constructor(path: string, context: FileContext, traits: FileTraits) {
    this.path = path;
    this.#context = context;
    this.#traits = traits;
  }

  read(): void {
    const failure = this.failure();
    if (failure !== undefined) throw failure;
  }

  failure(): unknown {
    const { scrape, look } = this.#context.clock;
    // `tryRead` keeps no error of what is absent.
    const isForgotten = this.#isAbsent && this.#error === undefined;
    if (scrape !== 0 && (scrape === this.#readAt || look <= this.#settledAt) && !isForgotten) return this.#error;
    this.#readAt = scrape;
    if (this.#isAbsent && !isForgotten && this.#isStillAbsent(look)) return this.#error;
    this.#error = undefined;
    try {
      this.#fetch(look);
      this.#isAbsent = false;
    } catch (error) {
      if (error instanceof NotYet) {
        this.#readAt = 0;
        throw error;
      }
      this.#error = withPath(error, this.path);
      this.#isAbsent = hasErrno(error, ['ENOENT']);
      this.#absentAt = Math.max(look, this.#absentAt);
      this.#lose();
    }
    if (this.#traits.isSettled) this.#settledAt = Math.max(look, this.#settledAt);
    return this.#error;
  }

  #isStillAbsent(look: number): boolean {
    try {
      // Asking whether it has come is cheaper than another error.
      const { isTold, isSettled } = this.#traits;
      const isStill = ((isTold || isSettled) && look <= this.#absentAt) || !this.#context.guard.isThere(this.path);
      // Otherwise it is read now, and that may have to be waited for: then this is asked again.
      if (isStill) this.#absentAt = Math.max(look, this.#absentAt);
      return isStill;
    } catch (error) {
      // What is refused by now is found out by reading.
      if (!(error instanceof NotYet)) return false;
      this.#readAt = 0;
      throw error;
    }
  }

  #fetch(look: number): void {
    if (!this.#isHeld() && this.#context.guard.isAway(this.path)) this.#takeAway();
    else if (this.#timedAt >= look || !this.#traits.isTimed) this.#take(this.#readAny());
    else this.#takeTimed(look);
  }

  #isHeld(): boolean {
    return this.#fd >= 0 || (this.#traits.adopted?.fd ?? -1) >= 0;
  }

  /** A sensor on a slow bus is found out by its first read, and by one a minute from then on. */
  #takeTimed(look: number): void {
    const { guard, now } = this.#context;
    const startedAt = now();
    this.#timedAt = look;
    try {
      this.#take(this.#readAny());
    } finally {
      if (guard.took(this.path, now() - startedAt)) this.#timedAt = -1;
      if (guard.isAway(this.path)) this.#drop();
    }
  }

  #takeAway(): void {
    const { guard, scratch } = this.#context;
    const found = guard.readWhole(this.path);
    if (scratch.bytes.length < found.length) scratch.bytes = Buffer.allocUnsafeSlow(found.length);
    this.#take(found.copy(scratch.bytes));
  }

  tryRead(faults?: Faults): boolean {
    const { scrape, look } = this.#context.clock;
    if (this.#isAbsent) {
      if (scrape !== 0 && scrape === this.#readAt) return false;
      if (this.#isStillAbsent(look)) {
        this.#readAt = scrape;
        return false;
      }
    }
    const failure = this.failure();
    if (failure === undefined) return true;
    if (!hasErrno(failure, NOTHING)) {
      if (faults === undefined || !isRefusal(failure)) throw failure;
      faults.fault(failure);
      return false;
    }
    if (hasErrno(failure, REFUSED)) this.#context.onRefused(this.path, failure);
    // It takes a KiB, and a large machine lacks thousands of files that others have.
    if (this.#isAbsent) this.#error = undefined;
    return false;
  }

  /** Whether it was absent or refused when it was read last, not only without a value. */
  get isGone(): boolean {
    return this.#isAbsent || hasErrno(this.#error) || hasErrno(this.#error, REFUSED);
  }

  text(): string {
    this.read();
    return this.#decoded();
  }

  tryText(faults?: Faults): string | undefined {
    return this.tryRead(faults) ? this.#decoded() : undefined;
  }

  number(faults?: Faults): number | undefined {
    if (!this.tryRead(faults)) return undefined;
    if (this.#numberVersion !== this.version) {
      const isOne = takeWhole(this.bytes, this.length, takeNumber, one, 0);
      const text = isOne ? '' : this.#decoded().trim();
      if (text !== '') {
        const odd = new ParseError(decodeName(this.path), text);
        if (faults === undefined) throw odd;
        faults.fault(odd);
        return undefined;
      }
      this.#number = isOne ? one[0] : undefined;
      this.#numberVersion = this.version;
    }
    return this.#number;
  }

  as<T>(parse: (text: string) => T): (faults?: Faults) => T | undefined {
    let version = -1;
    let parsed: T | undefined;
    return (faults) => {
      const text = this.tryText(faults);
      if (version === this.version && version >= 0) return parsed;
      // What throws is thrown again at the next scrape.
      version = -1;
      parsed = text === undefined ? undefined : parse(text);
      version = this.version;
      return parsed;
    };
  }

  #decoded(): string {
    if (this.#textVersion !== this.version || this.#text === undefined) {
      this.#text = decodeUtf8(this.bytes, 0, this.length);
      this.#textVersion = this.version;
    }
    return this.#text;
  }

  release(): void {
    if (this.#fd >= 0) this.#context.descriptors.close(this.#fd);
    this.#fd = -1;
  }

  get isLasting(): boolean {
    return this.#traits.isLasting;
  }

  close(): void {
    this.#traits.onClose();
    this.#drop();
  }

  #drop(): void {
    this.#context.descriptors.forget(this);
    this.release();
  }

  /** Adopts what was read into the scratch buffer, if it is another content. */
  #take(length: number): void {
    const { bytes } = this.#context.scratch;
    if (!this.#isLost && length === this.length && this.version > 0 && isSame(bytes, this.bytes, length)) return;
    this.#isLost = false;
    if (this.bytes.length < length) this.bytes = Buffer.allocUnsafeSlow(length + (length >> 3) + 8);
    bytes.copy(this.bytes, 0, 0, length);
    this.length = length;
    this.version += 1;
  }

  /** Nothing could be read; nor the time before, if it was lost already. */
  #lose(): void {
    if (this.#isLost) return;
    this.#isLost = true;
    this.length = 0;
    this.version += 1;
  }

  #readAny(): number {
    const { adopted } = this.#traits;
    if (adopted !== undefined && adopted.fd >= 0) {
      try {
        return this.#readAll(adopted.fd);
      } catch (error) {
        if (!hasErrno(error)) throw error;
        this.#context.descriptors.close(adopted.fd);
        adopted.fd = -1;
      }
    }
    return this.#fd < 0 ? this.#readOpening() : this.#readKept();
  }

  /** Outside of the kernel's trees a file may be removed or replaced, and a descriptor would go on to read what was there. */
  #hasAnother(): boolean {
    return !this.#traits.isKernel && this.#context.disk.identity(this.path) !== this.#identity;
  }

  #readKept(): number {
    if (this.#hasAnother()) {
      this.#drop();
      return this.#readOpening();
    }
    try {
      return this.#readAll(this.#fd);
    } catch (error) {
      // The thing behind the descriptor is gone. Something may be at its path again.
      this.#drop();
      if (!hasErrno(error)) throw error;
      return this.#readOpening();
    }
  }

  #readOpening(): number {
    const { descriptors } = this.#context;
    const fd = descriptors.open(this.path, !this.#traits.isKernel);
    let isKept = false;
    try {
      const length = this.#readAll(fd);
      isKept = this.#traits.isKept && descriptors.keep(this);
      if (!isKept) return length;
      this.#fd = fd;
      if (!this.#traits.isKernel) this.#identity = this.#context.disk.identityOf(fd);
      return length;
    } finally {
      if (!isKept) descriptors.close(fd);
    }
  }

  #readAll(fd: number): number {
    return readToEnd(this.#context, fd, this.path, this.#traits.wholeBytes);
  }
}

/** Reads a descriptor from its start into the scratch buffer, and answers how many bytes came. */
export function readToEnd(
  { scratch, disk }: Pick<FileContext, 'scratch' | 'disk'>,
  fd: number,
  path: string,
  wholeBytes: number,
): number {
  let length = 0;
  for (;;) {
    const room = scratch.bytes.length - length;
    const count = disk.read(fd, scratch.bytes, length, room, length);
    length += count;
    if (count === 0 || (count < room && length < wholeBytes)) return length;
    if (count < room) continue;
    if (length >= FILE_BYTES_MAX) throw new LimitError(`${path}: longer than ${FILE_BYTES_MAX} bytes`);
    const larger = Buffer.allocUnsafeSlow(length * 2);
    scratch.bytes.copy(larger, 0, 0, length);
    scratch.bytes = larger;
  }
}
