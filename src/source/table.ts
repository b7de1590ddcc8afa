import { Block } from '../core/block.ts';
import { ABSENT, DeadlineError, hasErrno, ParseError } from '../core/errors.ts';
import type { Faults } from '../core/faults.ts';
import { closeUnused, type FilesBeside, hasOther } from '../core/files_beside.ts';
import type { Beside, Collect, KernelFile, Layout, PartOptions, TableOptions } from '../core/host.ts';
import { LaidSamples, setReadings } from '../core/laid_samples.ts';
import type { Readings } from '../core/reading.ts';
import { decodeName } from '../core/utf8.ts';
import type { Writer } from '../core/writer.ts';
import type { SourceClock } from './clock.ts';
import { LaidLines } from './lines.ts';
import { follow, type Program } from './program.ts';

/** What a file was laid out to. */
interface Laid {
  readonly program: Program;
  readonly numbers: Float64Array;
  readonly readings: Readings;
  readonly faults: readonly unknown[];
  readonly passedOver: readonly string[];
  readonly fixedFiles: FilesBeside;
  readonly followedFiles: FilesBeside;
  /** What stands beside a line did not answer in time: it is laid out again. */
  readonly isBroken: boolean;
}

/** What is remarked where nobody is surprised that a path is absent. */
export const absenceOf = (path: string): string => `there is no ${path}`;

/** Whether something was read, by its `failure`; where it is not there, `ifAbsent` says what that means. */
export function isRead(failure: unknown, ifAbsent: PartOptions['ifAbsent'], out: Writer, absence: string): boolean {
  if (failure === undefined) return true;
  if (ifAbsent === undefined || !hasErrno(failure, ABSENT)) throw failure;
  const reason = ifAbsent();
  if (reason !== undefined) out.fault(reason);
  else out.remark(absence);
  return false;
}

/** Lays a file out, and follows what was laid out. */
export function createTable(
  file: KernelFile,
  layout: Layout,
  clock: SourceClock,
  { adjust, beside = [], ifAbsent, mayBeEmpty = false }: TableOptions = {},
): Collect {
  const block = new Block();
  let laid: Laid | undefined;
  let version = -1;
  let look = -1;
  const besides = beside.map(() => -1);
  const absence = absenceOf(decodeName(file.path));

  const layOut = (): Laid => {
    clock.layouts += 1;
    const out = new LaidSamples();
    const found: number[] = [];
    const lines = new LaidLines(file.path, file.bytes, file.length, found, out);
    if (lines.length > 0) layout(lines, out);
    else if (!mayBeEmpty) out.fault(new ParseError(decodeName(file.path), ''));
    const numbers = Float64Array.from(found);
    adjust?.(numbers);
    if (out.families.length === block.count && out.isIn(block, 0, 0)) setReadings(block, 0, out.values, numbers);
    else {
      block.cut(0, 0);
      out.addTo(block, numbers);
    }
    const { values: readings, faults, names: passedOver } = out;
    const { fixedFiles, followedFiles } = lines;
    const isBroken = faults.some((fault) => fault instanceof DeadlineError);
    return { program: lines.compile(), numbers, readings, faults, passedOver, fixedFiles, followedFiles, isBroken };
  };

  const update = (isOther: boolean): Laid => {
    if (laid !== undefined && !isOther && follow(laid.program, file.bytes, file.length, laid.numbers)) {
      adjust?.(laid.numbers);
      setReadings(block, 0, laid.readings, laid.numbers);
      return laid;
    }
    const before = laid;
    laid = undefined;
    try {
      const now = layOut();
      if (before !== undefined) closeUnused(filesOf(before), filesOf(now));
      return now;
    } catch (error) {
      // Half a file would look like a whole one.
      block.cut(0, 0);
      throw error;
    }
  };

  /** Whether what was looked at elsewhere has another content. */
  const areOther = (before: Laid | undefined): boolean => {
    const isLook = clock.look > look;
    const areOther =
      before !== undefined && (hasOther(before.followedFiles) || (isLook && hasOther(before.fixedFiles)));
    if (isLook) look = clock.look;
    return areOther;
  };

  return (out: Writer) => {
    if (!isRead(file.failure(), ifAbsent, out, absence)) return;
    const isOther = hasMoved(beside, besides, out) || areOther(laid) || laid?.isBroken === true;
    if (laid === undefined || isOther || file.version !== version) laid = update(isOther);
    version = file.version;
    out.put(block);
    for (const name of laid.passedOver) out.passedOver(name);
    for (const fault of laid.faults) out.fault(fault);
  };
}

const filesOf = ({ fixedFiles, followedFiles }: Laid): FilesBeside[] => [fixedFiles, followedFiles];

/** Reads files, and answers whether one has another content than at the time of `versions`, which are brought up to date. */
export function hasMoved(files: readonly Beside[], versions: number[], faults: Faults): boolean {
  // All before any is compared: one that has not answered yet is asked again together with the others.
  for (const file of files) file.tryRead(faults);
  let moved = false;
  for (let i = 0; i < files.length; i += 1) {
    const file = files[i] as Beside;
    moved ||= file.version !== versions[i];
    versions[i] = file.version;
  }
  return moved;
}
