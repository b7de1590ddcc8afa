import { hasErrno, isOfInput, isRefusal, NOTHING, optional, ParseError, REFUSED } from '../core/errors.ts';
import type { Device, Lines, Take } from '../core/host.ts';
import type { LaidSamples } from '../core/laid_samples.ts';
import { NotYet } from '../core/not_yet.ts';
import { Reading } from '../core/reading.ts';
import { decodeName, decodeUtf8 } from '../core/utf8.ts';
import type { DeviceContext } from './devices.ts';
import type { TreeFile } from './file.ts';
import { LaidLines } from './lines.ts';
import { takeAuto, takeNumber, takeWhole } from './numbers.ts';
import { follow, type Program } from './program.ts';

/** What an attribute is to its device. */
interface Attribute {
  readonly file: TreeFile;
  /** What of it was looked at: its number, its lines, or (without either) its whole text. */
  take: Take | undefined;
  place: number;
  /** The text that stands for no number. */
  none: string;
  lines: LaidLines | undefined;
  program: Program | undefined;
  /** Looked at as a word, in several ways or in vain: any other content is another layout. */
  isWord: boolean;
  /** Of the content that was looked at last; -1 where it had no value then. */
  version: number;
  /** Absent or refused: not opened again until devices have come or gone. */
  isGone: boolean;
}

/** A question whose answer cannot change as long as the device is there. */
interface Fixed {
  readonly ask: () => string | undefined;
  readonly answer: string | undefined;
}

export type Followed = 'same' | 'moved' | 'other';

/** Everything that the layout of one device has looked at. */
export class DeviceInputs {
  /** The numbers of the readings at the time of the layout. */
  readonly numbers: number[] = [];
  /** Set where something answered with an error that nobody expects: it is laid out again, to see whether it still does. */
  isBroken = false;
  readonly #context: DeviceContext;
  readonly #path: string;
  readonly #samples: LaidSamples;
  readonly #attributes = new Map<string, Attribute>();
  readonly #fixed = new Map<string, Fixed>();
  readonly #identity: number | undefined;
  #look: number;
  /** Numbers were put to their places by a look at the device that could not end. */
  #hasMoved = false;

  constructor(context: DeviceContext, path: string, samples: LaidSamples) {
    this.#context = context;
    this.#path = path;
    this.#samples = samples;
    this.#look = context.clock.look;
    this.#identity = context.identityOf(path);
  }

  /** The device as its layout sees it; `id` is the name of its folder. */
  device(id: string, path = this.#path): Device {
    const { tree, textOf } = this.#context;
    const at = (name: string): string => (name === '' ? path : `${path}/${name}`);
    const list = (folder: string): string => tree.list(folder).join('\n');
    return {
      id: decodeName(id),
      path,
      number: (file, none) => this.#number(at(file), takeNumber, none),
      auto: (file, none) => this.#number(at(file), takeAuto, none),
      taken: (file, take, none) => this.#number(at(file), take, none),
      numberOrNothing: (file) => this.#number(at(file), takeNumber, ANY),
      word: (file) => this.#word(at(file)),
      lines: (file) => this.#lines(at(file)),
      fixed: (file) => this.#askQuietly('fixed', at(file), textOf),
      list: (folder = '') => namesIn(this.#askQuietly('list', at(folder), list)),
      all: (folder = '') => {
        const path = at(folder);
        return this.#unlessOdd(() => namesIn(this.#ask(`all ${path}`, () => optional(() => list(path)))));
      },
      link: (name) => this.#askQuietly('link', at(name), tree.link),
      real: (name = '') => this.#askQuietly('real', at(name), tree.real),
      inside: (folder) => this.device(folder.slice(folder.lastIndexOf('/') + 1), at(folder)),
    };
  }

  close(): void {
    for (const { file } of this.#attributes.values()) file.close();
  }

  /** The layout is done: its lines are compiled as long as the bytes are those that it looked at. */
  compile(): void {
    for (const attribute of this.#attributes.values()) attribute.program = attribute.lines?.compile();
  }

  /** Reads what was looked at, and puts the numbers to their places. Not to be asked again once it has answered `other`. */
  follow(numbers: Float64Array): Followed {
    if (this.isBroken) return 'other';
    const { look } = this.#context.clock;
    const isLook = look > this.#look;
    let state: Followed = this.#hasMoved ? 'moved' : 'same';
    try {
      // A kept descriptor would go on to read the thing that was there before.
      if ((isLook || !this.#context.isTold) && this.#context.identityOf(this.#path) !== this.#identity) return 'other';
      if (isLook) for (const { ask, answer } of this.#fixed.values()) if (ask() !== answer) return 'other';
      for (const attribute of this.#attributes.values()) {
        if (attribute.isGone && !isLook) continue;
        const version = this.#versionOf(attribute);
        if (version === attribute.version) continue;
        if (version < 0 || attribute.version < 0 || !followed(attribute, numbers)) return 'other';
        attribute.version = version;
        state = 'moved';
      }
      if (isLook) this.#look = look;
      this.#hasMoved = false;
    } catch (error) {
      this.#hasMoved = error instanceof NotYet && state === 'moved';
      // The layout runs into the same, and says what that means.
      if (!isOfInput(error)) throw error;
      return 'other';
    }
    return state;
  }

  /** Reads, and answers the version of what is there; -1 for nothing. */
  #versionOf(attribute: Attribute): number {
    const { file } = attribute;
    attribute.isGone = false;
    if (!file.tryRead()) {
      attribute.isGone = file.isGone;
      return -1;
    }
    return file.length === 0 ? -1 : file.version;
  }

  #attribute(path: string): Attribute {
    let attribute = this.#attributes.get(path);
    if (attribute === undefined) {
      const file = this.#context.attribute(path);
      attribute = {
        file,
        take: undefined,
        place: -1,
        none: '',
        lines: undefined,
        program: undefined,
        isWord: false,
        version: -1,
        isGone: false,
      };
      this.#attributes.set(path, attribute);
      const asked = attribute;
      attribute.version = this.#unlessOdd(() => this.#versionOf(asked)) ?? -1;
    }
    return attribute;
  }

  /** An answer that nobody expects costs what was asked for alone. */
  #unlessOdd<T>(ask: () => T): T | undefined {
    try {
      return ask();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#samples.fault(error);
      this.isBroken = true;
      return undefined;
    }
  }

  #number(path: string, take: Take, none: string | typeof ANY = ''): Reading | undefined {
    const attribute = this.#attribute(path);
    if (attribute.version < 0) return undefined;
    const { file } = attribute;
    if (attribute.take === take) return new Reading(attribute.place);
    attribute.isWord ||= attribute.take !== undefined || attribute.lines !== undefined;
    attribute.none = none === ANY ? '' : none;
    if (isText(attribute, attribute.none) || !takeWhole(file.bytes, file.length, take, one, 0)) {
      attribute.isWord = true;
      const text = trimmed(file);
      if (none !== ANY && text !== '' && text !== none)
        this.#samples.fault(new ParseError(decodeName(file.path), text));
      return undefined;
    }
    attribute.place = this.numbers.push(one[0] as number) - 1;
    attribute.take = take;
    return new Reading(attribute.place);
  }

  #word(path: string): string | undefined {
    const attribute = this.#attribute(path);
    attribute.isWord = true;
    const text = attribute.version < 0 ? '' : trimmed(attribute.file);
    return text === '' ? undefined : text;
  }

  #lines(path: string): Lines | undefined {
    const attribute = this.#attribute(path);
    if (attribute.version < 0) return undefined;
    const { file } = attribute;
    attribute.isWord ||= attribute.take !== undefined;
    attribute.lines ??= new LaidLines(file.path, file.bytes, file.length, this.numbers, this.#samples);
    return attribute.lines;
  }

  /** What is optional is absent where it is absent, refused or without a value. */
  #askQuietly(how: string, path: string, ask: (path: string) => string | undefined): string | undefined {
    const quietly = (): string | undefined => {
      try {
        return ask(path);
      } catch (error) {
        if (!hasErrno(error, NOTHING) && !hasErrno(error, ['ELOOP'])) throw error;
        if (hasErrno(error, REFUSED)) this.#context.onRefused(path, error);
        return undefined;
      }
    };
    return this.#unlessOdd(() => this.#ask(`${how} ${path}`, quietly));
  }

  #ask(key: string, ask: () => string | undefined): string | undefined {
    let fixed = this.#fixed.get(key);
    if (fixed === undefined) {
      fixed = { ask, answer: ask() };
      this.#fixed.set(key, fixed);
    }
    return fixed.answer;
  }
}

const one = new Float64Array(1);
const ANY = Symbol('any text');

/** Whether an attribute holds this text, which is none where it is empty. */
const isText = ({ file }: Attribute, text: string): boolean => text !== '' && trimmed(file) === text;

function followed(attribute: Attribute, numbers: Float64Array): boolean {
  const { file, take, place, program, isWord } = attribute;
  if (isWord) return false;
  if (program !== undefined) return follow(program, file.bytes, file.length, numbers);
  if (take === undefined || isText(attribute, attribute.none)) return false;
  return takeWhole(file.bytes, file.length, take, numbers, place);
}

const trimmed = ({ bytes, length }: TreeFile): string => decodeUtf8(bytes, 0, length).trim();

const namesIn = (list = ''): readonly string[] => list.split('\n').filter((name) => name !== '');
