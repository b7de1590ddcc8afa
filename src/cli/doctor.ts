import { flag, parseFlags } from '../core/flag.ts';
import { type Diagnosis, diagnose, type Level, type PerfSituation } from '../privilege/diagnose.ts';
import { examine } from '../privilege/examine.ts';
import { programFlags } from './flags.ts';

const doctorFlags = {
  json: flag.bool('json', 'Write JSON.'),
  help: flag.bool('help', 'Show what it does.'),
  sysfs: programFlags.sysfs,
} as const;

const HELP = `usage: keyhole doctor [--json] [--path.sysfs=/sys]

Tells whether perf counters can be read here, and if not, why and what to change. It tries as the exporter does, and
believes the kernel's answer above all. The status is 0 where counters open, 1 where they do not.
`;

const MARKS: Readonly<Record<Level, string>> = { ok: 'ok', note: 'note', problem: 'PROBLEM' };
const MARK_WIDTH = 8;
const TOPIC_WIDTH = 28;

const indented = (text: string): string => text.replaceAll('\n', '\n    ');

/** The report for people. */
export function doctorText({ works, hardware, why, findings, changes }: Diagnosis): string {
  const headline = works
    ? hardware
      ? 'Perf counters work, hardware counters too.'
      : 'Perf counters work, though only those of software: there are no hardware counters.'
    : `Perf counters do not work: ${why}.`;
  const rows = findings.map(
    ({ level, topic, text }) => `${MARKS[level].padEnd(MARK_WIDTH)}${topic.padEnd(TOPIC_WIDTH)}${text}`,
  );
  const steps = changes.map((change) => `  - ${indented(change)}`);
  const nothing = works ? 'Nothing needs to be changed.' : 'Nothing can be done about it on this machine.';
  return [headline, '', ...rows, '', ...(steps.length > 0 ? ['What to change:', ...steps] : [nothing]), ''].join('\n');
}

const plain = (_: string, value: unknown): unknown => {
  if (typeof value === 'bigint') return `0x${value.toString(16)}`;
  return value === Number.POSITIVE_INFINITY ? 'unlimited' : value;
};

/** The same for machines, with the facts: capability sets are in hexadecimal. */
export const doctorJson = (diagnosis: Diagnosis, facts: PerfSituation): string =>
  `${JSON.stringify({ ...diagnosis, facts }, plain, 2)}\n`;

export interface DoctorParts {
  readonly env: NodeJS.ProcessEnv;
  write(text: string): void;
}

/** `keyhole doctor`; `argv` is what follows the word. Answers the exit status. */
export async function doctor(argv: readonly string[], { env, write }: DoctorParts): Promise<number> {
  const parsed = parseFlags(argv, Object.values(doctorFlags));
  if (parsed.valueOf(doctorFlags.help)) {
    write(HELP);
    return 0;
  }
  const sysfs = parsed.valueOf(doctorFlags.sysfs);
  const facts = examine({ sysfs, env });
  const diagnosis = diagnose(facts);
  write(parsed.valueOf(doctorFlags.json) ? doctorJson(diagnosis, facts) : doctorText(diagnosis));
  return diagnosis.works ? 0 : 1;
}
