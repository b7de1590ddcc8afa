import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { type FlagValues, firstGiven, type ParsedFlags, parseFlags } from '../core/flag.ts';
import { perfFlags } from '../perf/grammar.ts';
import { type Diagnosis, diagnose, type Finding, type Level, type PerfSituation } from '../privilege/diagnose.ts';
import { examine } from '../privilege/examine.ts';
import { openTree } from '../source/source.ts';
import { HELPS } from './command_helps.ts';
import type { Command, Program } from './commands.ts';
import {
  type Advised,
  raplFinding,
  runningFinding,
  textfileFindings,
  UNIT_SETTINGS,
  unitFindings,
  webConfigFinding,
} from './findings.ts';
import { commandFlags, programFlags } from './flags.ts';
import { findRunning, type RunningExporter } from './running.ts';

const MARKS: Readonly<Record<Level, string>> = { ok: 'ok', note: 'note', problem: 'PROBLEM' };
const MARK_WIDTH = 8;
const TOPIC_WIDTH = 28;

const indented = (text: string): string => text.replaceAll('\n', '\n    ');

/** A line for each finding. */
export const findingRows = (findings: readonly Finding[]): string =>
  findings
    .map(({ level, topic, text }) => `${MARKS[level].padEnd(MARK_WIDTH)}${topic.padEnd(TOPIC_WIDTH)}${text}\n`)
    .join('');

/** The report for people. */
export function doctorText({ works, hardware, why, findings, changes }: Diagnosis): string {
  const headline = works
    ? hardware
      ? 'Perf counters work, hardware counters too.'
      : 'Perf counters work, though only those of software: there are no hardware counters.'
    : `Perf counters do not work: ${why}.`;
  const steps = changes.map((change) => `  - ${indented(change)}\n`).join('');
  const isFine = findings.every(({ level }) => level !== 'problem');
  const nothing = isFine ? 'Nothing needs to be changed.\n' : 'Nothing can be done about it on this machine.\n';
  return `${headline}\n\n${findingRows(findings)}\n${steps === '' ? nothing : `What to change:\n${steps}`}`;
}

const plain = (_: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : value;
};

/** The same for machines, with the facts: capability sets are in hexadecimal. */
const doctorJson = (diagnosis: Diagnosis, facts: PerfSituation): string =>
  `${JSON.stringify({ ...diagnosis, facts }, plain, 2)}\n`;

const SYSTEMCTL_MS = 5000;

/** What systemd says of the unit; nothing where it cannot be asked, as in a container. */
function unitProperties(unit: string): string {
  const { status, stdout } = spawnSync('systemctl', ['show', unit, `--property=${UNIT_SETTINGS.join()}`], {
    encoding: 'utf8',
    timeout: SYSTEMCTL_MS,
  });
  return status === 0 ? stdout : '';
}

export function findingsOfUnit(running: RunningExporter | undefined): Advised[] {
  if (running === undefined || !running.unit.endsWith('.service')) return [];
  const properties = unitProperties(running.unit);
  return properties === '' ? [] : unitFindings(running.unit, properties);
}

/** What the flags ask of the perf collector. */
const perfAsked = (parsed: ParsedFlags): Parameters<typeof examine>[0]['perf'] => ({
  flags: Object.fromEntries(
    Object.entries(perfFlags).map(([key, each]) => [key, parsed.valueOf<unknown>(each)]),
  ) as FlagValues<typeof perfFlags>,
  isGiven: (key) => parsed.isGiven(perfFlags[key]),
});

/** Looks at everything; perf counters come first. */
async function judge(
  parsed: ParsedFlags,
  program: Program,
  running: RunningExporter | undefined,
): Promise<{ readonly diagnosis: Diagnosis; readonly facts: PerfSituation; readonly isFine: boolean }> {
  const sysfs = parsed.valueOf(programFlags.sysfs);
  const here = examine({ sysfs, env: program.env, perf: perfAsked(parsed) });
  // What is typed into a shell is about the exporter that runs, and that may be in a unit.
  const inUnit = here.setting === 'other' && running?.unit.endsWith('.service') === true;
  const facts: PerfSituation = inUnit ? { ...here, setting: 'systemd' } : here;
  const diagnosis = diagnose(facts);
  const others: readonly Advised[] = [
    runningFinding(running),
    ...findingsOfUnit(running),
    await webConfigFinding(program, parsed),
    ...(await textfileFindings(program, parsed)),
    await raplFinding(program, parsed, facts.setting),
  ];
  const findings = [...diagnosis.findings, ...others.map(({ topic, level, text }) => ({ topic, level, text }))];
  const changes = [...diagnosis.changes, ...others.flatMap(({ change }) => change ?? [])];
  const isFine = diagnosis.works && others.every(({ level }) => level !== 'problem');
  return { diagnosis: { ...diagnosis, findings, changes }, facts, isFine };
}

/**
 * By the flags given, or else by those of the exporter that runs. These may be of another version, and the files that they name
 * may not be seen from here, or be gone while they are looked at.
 */
export async function judgeBy(
  argv: readonly string[],
  program: Program,
  running: RunningExporter | undefined,
): ReturnType<typeof judge> {
  const flags = [...program.declared.flags, commandFlags.json];
  const given = parseFlags(argv, flags);
  if (running !== undefined && argv.every((arg) => arg === '--json'))
    try {
      return await judge(parseFlags(running.argv, flags), program, running);
    } catch {
      // By its own flags, then.
    }
  return judge(given, program, undefined);
}

/** `keyhole doctor` */
export const doctor: Command = async (argv, program) => {
  const { declared, write } = program;
  if (firstGiven(argv, declared.flags, [programFlags.help]) !== undefined) {
    write(HELPS.doctor);
    return 0;
  }
  const { diagnosis, facts, isFine } = await judgeBy(argv, program, findRunning(openTree('/proc'), process.pid));
  write(argv.includes('--json') ? doctorJson(diagnosis, facts) : doctorText(diagnosis));
  return isFine ? 0 : 1;
};
