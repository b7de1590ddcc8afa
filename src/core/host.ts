import type { Daemons } from './daemons.ts';
import type { NoDataError, ParseError } from './errors.ts';
import type { Faults } from './faults.ts';
import type { Flags, FlagValues } from './flag.ts';
import type { Logger } from './log.ts';
import type { Network } from './network.ts';
import type { Reading } from './reading.ts';
import type { System } from './system.ts';
import type { LayoutWriter, Writer } from './writer.ts';

/**
 * The door: every input of a collector comes through its `Host`, as a handle made in `setup`. Nothing of a collector reaches a
 * file, a socket or a system call by itself, so tests can put hostile input in every place, and what is read is known.
 */

/** One run of a collector. */
export interface Turn {
  /** Aborted when the collector's time is over. */
  readonly signal: AbortSignal;
  /** Milliseconds until then. */
  leftMs(): number;
  /**
   * To be awaited between devices by a collector that may have thousands: `undefined` at once, or, when the event loop has
   * been held for some milliseconds, a promise that lets others run. Throws when the collector's time is over.
   */
  pause(): Promise<void> | undefined;
}

/** What runs at every scrape. */
export type Collect = (out: Writer, turn: Turn) => void | Promise<void>;

/**
 * Takes the number that begins at `start` out of bytes, puts it to a place, and answers where it ends: at a blank, a newline or
 * `end`. -1 for what is none.
 */
export type Take = (bytes: Buffer, start: number, end: number, into: Float64Array, place: number) => number;

/** A line of a file while it is laid out. Columns are what stands between blanks, from 0 on. */
export interface Line {
  /** How many columns there are. */
  readonly length: number;
  /** The text of a column. Throws a `ParseError` where there is none. */
  word(column: number): string;
  /** The text of a column; `undefined` where there is none. */
  find(column: number): string | undefined;
  /** From a column to the end of the line, with the blanks between. */
  rest(column: number): string;
  /** The number in a column, behind `before` where the column begins with that. Throws a `ParseError` for what is none. */
  number(column: number, before?: string): Reading;
  /** The same for a number without sign and point. */
  uint(column: number, before?: string): Reading;
  /** The same in hexadecimal. */
  hex(column: number, before?: string): Reading;
  /** The same as ParseInt with base 0 of Go takes it: `0x…`, `0…` for octal, a sign. */
  auto(column: number): Reading;
  /** The same as `take` takes it. */
  taken(column: number, take: Take): Reading;
  /** The same as `uint`; `undefined` where it is 0. */
  positive(column: number): Reading | undefined;
  /** The text of a column up to and with a mark; `undefined` where there is none. What is behind it is not looked at. */
  upTo(column: number, mark: string): string | undefined;
  /** The error that quotes the line. */
  fault(): ParseError;
}

/** A file while it is laid out. Blank lines are none of its lines: nothing is said in them. */
export interface Lines extends Iterable<Line> {
  readonly length: number;
  at(index: number): Line | undefined;
  /** One line after the other. One that throws costs itself alone: it is a fault, and what it wrote is taken back. */
  each(layOut: (line: Line, index: number) => void): void;
  /** The same for one line that is looked at together with others. */
  one(line: Line, layOut: () => void): void;
  /**
   * The text of another file, which cannot change as long as the devices are the same: looked at again only when devices came
   * or went, and once a minute. `undefined` where it is absent or refused.
   */
  fixed(file: KernelFile): string | undefined;
  /** The text of another file, which is compared at every scrape. */
  followed(file: KernelFile): string | undefined;
}

/**
 * Looks at words and says where numbers stand; called again as soon as any of these words is another. It gets every input
 * from its arguments: what it reads elsewhere is not followed.
 */
export type Layout = (lines: Lines, out: LayoutWriter) => void;

/** A device, that is a folder of attributes, while it is laid out. What has no value now, is absent or refused is `undefined`. */
export interface Device {
  /** The name of the folder. */
  readonly id: string;
  /** The folder, relative to the tree. */
  readonly path: string;
  /**
   * The number in a file; text that is none is a fault of the device, and `undefined`. `none`: what the kernel writes where it
   * has no number.
   */
  number(file: string, none?: string): Reading | undefined;
  /** The same as ParseInt with base 0 of Go takes it. */
  auto(file: string, none?: string): Reading | undefined;
  /** The same as `take` takes it. */
  taken(file: string, take: Take, none?: string): Reading | undefined;
  /** As `number`, where the file may hold any text: what is no number is nothing. */
  numberOrNothing(file: string): Reading | undefined;
  /** The text of a file without the blanks around it. */
  word(file: string): string | undefined;
  /** The same of what cannot change as long as the device is there: looked at again only when devices came or went, and once a minute. */
  fixed(file: string): string | undefined;
  /** The lines of a file, each followed as in a table. */
  lines(file: string): Lines | undefined;
  /** The names in the folder, or in one below it; empty where it is absent or refused. */
  list(folder?: string): readonly string[];
  /**
   * The same where names are counted, or where one that is missing says something: `undefined` where they are refused, which is
   * a fault of what needs them.
   */
  all(folder?: string): readonly string[] | undefined;
  /** Where a symbolic link in the folder points; looked at as `fixed`. */
  link(name: string): string | undefined;
  /** The path of the folder or of one below it without symbolic links; looked at as `fixed`. */
  real(name?: string): string | undefined;
  /** A folder below, whose attributes belong to this device. */
  inside(folder: string): Device;
}

export type DeviceLayout = (device: Device, out: LayoutWriter) => void;

/** What has another version when it is another. */
export type Beside = Pick<KernelFile, 'tryRead' | 'version'>;

export interface PartOptions {
  /** What else the layout looks at, such as other files: another version of them is another layout. */
  readonly beside?: readonly Beside[];
  /** Why there is no success where the file or the folder is not there, if that is so. Without it the errno is thrown. */
  readonly ifAbsent?: () => NoDataError | undefined;
}

export interface TableOptions extends PartOptions {
  /** Looks over the numbers, by the places of their readings, before samples are made of them. */
  readonly adjust?: (numbers: Float64Array) => void;
  /** Whether the kernel writes the file without a line where there is nothing to say. Otherwise an empty one is a fault. */
  readonly mayBeEmpty?: boolean;
}

/** A file that is read at most once in a scrape, whoever asks. */
export interface KernelFile {
  /** The whole path. */
  readonly path: string;
  /** What was read last, up to `length`. */
  readonly bytes: Buffer;
  readonly length: number;
  /** Another one as soon as the content is another. */
  readonly version: number;
  /** Reads it. Throws what the kernel answers. */
  read(): void;
  /** Reads it and answers what the kernel refused it with, if it did: where absence is the rule, throwing is dear. */
  failure(): unknown;
  /**
   * Reads it and answers whether it is there; absent and refused are the same here, and there is nothing in it then. An answer
   * that nobody expects is the same too, and put to `faults`: without them it is thrown.
   */
  tryRead(faults?: Faults): boolean;
  /** Reads it and answers its text, which is made again only when the content is another. */
  text(): string;
  /** The same; `undefined` where `tryRead` answers that there is nothing. */
  tryText(faults?: Faults): string | undefined;
  /**
   * Reads it and answers the number that is all of its content; `undefined` where there is nothing. Text that is none is a
   * `ParseError`, which is put to `faults` too.
   */
  number(faults?: Faults): number | undefined;
  /** What `parse` makes of the text, made again only when that is another; `undefined` where there is nothing. */
  as<T>(parse: (text: string) => T): (faults?: Faults) => T | undefined;
  /** For what is gone or not needed any more: gives the descriptor back. Who reads it nevertheless opens it again. */
  close(): void;
}

/** A folder whose names are listed at most once in a scrape. */
export interface Folder {
  /** Sorted by bytes; the same array as long as they are the same. Throws where there is no such folder. */
  names(): readonly string[];
  /** The same; empty where it is absent or refused. */
  tryNames(): readonly string[];
  /** Lists it and answers what the kernel refused it with, if it did. */
  failure(): unknown;
}

/**
 * A kernel file tree (`/proc`, `/sys`) under a root that flags or tests may move. Reads are synchronous: they never reach a
 * disk. Paths are relative to the root, one character per byte (`bytesOf` of a word). What the kernel refuses is thrown as Node's
 * error with its errno name in `code`; `optional` turns absence into `undefined`.
 */
export interface Tree {
  /** As text. */
  readonly root: string;
  /** The whole path as text, for messages and for labels that show it. */
  path(relative: string): string;
  /** A file that stays: its descriptor is kept as long as there are enough of them. */
  file(path: string): KernelFile;
  /** One that could not be opened again once the process is sealed: its descriptor is kept for good. */
  lasting(path: string): KernelFile;
  /** A file that is replaced, or that must not be held: opened at every read. */
  passing(path: string): KernelFile;
  /**
   * A file that changes with the devices only, or so seldom that a minute does not matter: read again when devices came or went,
   * and once a minute.
   */
  settled(path: string): KernelFile;
  folder(path: string): Folder;
  /** A file of words and numbers, laid out once and followed from then on. */
  table(path: string, layout: Layout, options?: TableOptions): Collect;
  /** The same for a file whose lines stand alone. */
  lineTable(path: string, layOut: (line: Line, out: LayoutWriter) => void, options?: TableOptions): Collect;
  /** The folders of these names in a folder, each laid out alone and followed from then on. */
  devices(folder: string, pattern: RegExp, layout: DeviceLayout, options?: PartOptions): Collect;

  /** The text of `file`. */
  read(path: string): string;

  // For what comes and goes from one scrape to the next, such as processes, and for what is read once.

  /** Opens, reads, closes. */
  readOnce(path: string): string;
  /** Opens, reads, closes, and answers what `look` sees in the bytes up to `length`, which are others with the next read. */
  glance<T>(path: string, look: (bytes: Buffer, length: number) => T): T;
  /** A one-value file of a device, without the blanks around it; `undefined` where it is absent. */
  attribute(path: string): string | undefined;
  /** The names in a folder, sorted by bytes. */
  list(path: string): string[];
  /** Where a symbolic link points, as it is written. */
  link(path: string): string;
  /** A path without symbolic links. */
  real(path: string): string;
  /** Absent and refused are the same here. */
  exists(path: string): boolean;

  // For what only a privilege opens.

  /** Opens a file for as long as the process lives: a descriptor for `acquire` to hold. */
  open(path: string): number;
  /**
   * From now on what is at a path is read through a descriptor that `acquire` opened. Where the thing behind that is gone, the
   * descriptor is closed and the path counts.
   */
  adopt(path: string, fd: number): void;

  /** What stat(2) says of the size. Throws what the kernel answers. */
  sizeBytes(path: string): number;
}

/** A socket that a collector opens in a scrape: a netlink protocol of `include/uapi/linux/netlink.h`, a TCP port to connect to. */
export type SocketNeed =
  | { readonly family: 'netlink'; readonly protocol: number }
  | { readonly family: 'tcp'; readonly port: number }
  | { readonly family: 'udp' }
  /** `path`: the socket, where it may be closed to some users. */
  | { readonly family: 'unix'; readonly path?: string };

/** What the sandbox leaves open for a collector, beside the trees of the kernel and the files that `reads` names. */
export interface Needs {
  /** Files and folders that flags name, as whole paths; a shell pattern stands for what it matches. */
  readonly files?: readonly string[];
  /** Folders that it opens itself, and no file in them. */
  readonly folders?: readonly string[];
  readonly sockets?: readonly SocketNeed[];
  /** Whether it looks up the address of a host by its name. */
  readonly resolves?: boolean;
  /**
   * Paths that it asks about and does not open, such as mount points, one character per byte: they must be reachable for the user
   * who serves.
   */
  asksAbout?(): readonly string[];
}

/** What a file is now: another one has another of these. */
export interface FileState {
  /** Unix time, with what fraction a double holds. */
  readonly mtimeMs: number;
  readonly sizeBytes: number;
  readonly inode: number;
}

/**
 * Files that others write, on disks that may be slow: asked off the thread that answers. Paths are whole ones, one character per
 * byte.
 */
export interface OthersFiles {
  /** The folders that a shell pattern, which is text, is about; a path without a pattern as it is. */
  glob(pattern: string): Promise<string[]>;
  /** The paths of what is in a folder, without `.` and `..` in them, in no order. */
  list(folder: string): Promise<string[]>;
  /** Throws what the system answers, and for what is no regular file. */
  look(path: string): Promise<FileState>;
  /** The content, with what the file is. Throws a `LimitError` where it is longer. */
  read(path: string, bytesMax: number): Promise<FileState & { readonly bytes: Buffer }>;
}

/** The capabilities that a collector may ask for, named as in capabilities(7). */
export type Privilege = 'dac_read_search' | 'perfmon' | 'sys_admin';

/** A descriptor that only a privilege opens, and that stays readable when the privilege is gone. */
export interface Held {
  /** Unique within the collector. */
  readonly key: string;
  readonly fd: number;
  /** What the second stage checks: an open perf event, the file at `path`, or a socket. */
  readonly kind: 'event' | 'file' | 'socket';
  readonly path?: string;
}

export interface Acquired {
  readonly held: readonly Held[];
  /** What else there is to know, as plain JSON: why something could not be opened. */
  readonly facts: unknown;
}

/** What a collector may touch: the kernel's file trees, its own flags, its logger. Nothing global. */
export interface Host<F extends Flags = Flags> {
  /** `--path.procfs` */
  readonly proc: Tree;
  /** `--path.sysfs` */
  readonly sys: Tree;
  /** `--path.udev.data` */
  readonly udev: Tree;
  /** `--path.rootfs` */
  readonly root: Tree;
  /** `--path.rootfs`, without a trailing slash; the root itself is `/`. */
  readonly rootfs: string;
  /** Another tree, for what stands where a flag or the kernel says, such as the mount of tracefs; its path is text. */
  openTree(path: string): Tree;
  /** The `/proc` in which this process is, wherever `--path.procfs` points. */
  readonly own: Tree;
  readonly flags: FlagValues<F>;
  /** Whether a flag was given, on the command line or by its environment variable. */
  isGiven(flag: keyof F): boolean;
  /** Whether a collector of this name runs. */
  isEnabled(collector: string): boolean;
  /** Whether a collector that runs has declared a family of this name. */
  isDeclared(family: string): boolean;
  readonly othersFiles: OthersFiles;
  readonly log: Logger;
  /** What netlink says of the network. */
  readonly network: Network;
  /** What system calls say. */
  readonly system: System;
  /** What other programs say. */
  readonly daemons: Daemons;
  /** What `acquire` opened, in this process or in the one before the seal. Missing where the collector has no `acquire`. */
  readonly acquired?: Acquired;
  /** Does `acquire` again, with the privilege of the start. Missing once the process has sealed itself. */
  readonly reacquire?: () => Acquired;
  /** Ends the process in good order with the status that `Machine.end` documents, for its supervisor to start it again. */
  readonly end?: (why: string) => void;
}
