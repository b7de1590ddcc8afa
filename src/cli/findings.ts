import { readdirSync } from 'node:fs';
import { hasErrno, messageOf, UsageError } from '../core/errors.ts';
import type { ParsedFlags } from '../core/flag.ts';
import { glob } from '../core/glob.ts';
import { type LogFields, type Logger, silent } from '../core/log.ts';
import { decodeName, pathOf } from '../core/utf8.ts';
import type { Finding, Setting } from '../privilege/diagnose.ts';
import { collectorsNamed, type Program } from './commands.ts';
import { programFlags } from './flags.ts';
import type { RunningExporter } from './running.ts';
import { openTrial } from './trial.ts';

/** A finding, and what to change where something has to be. */
export interface Advised extends Finding {
  readonly change?: string;
}

const DAY_MS = 86_400_000;
/** Time enough to renew a certificate. */
const SOON_DAYS = 14;

/** The web configuration, with TLS and passwords, as the server would take it. */
export async function webConfigFinding(program: Program, parsed: ParsedFlags): Promise<Advised> {
  const topic = 'web configuration';
  const path = parsed.valueOf(programFlags.webConfigFile);
  if (path === '') return { topic, level: 'ok', text: 'none: plain HTTP, without passwords' };
  try {
    const { tls, certificateEnds, users, rateLimit } = await program.checkWebConfig(path);
    const days =
      certificateEnds === undefined ? Infinity : Math.floor((certificateEnds.getTime() - Date.now()) / DAY_MS);
    const parts = [
      tls ? `TLS, whose certificate ${days < 0 ? 'has ended' : `ends in ${days} days`}` : 'no TLS',
      users === 0 ? 'no passwords' : `passwords of ${users} user${users === 1 ? '' : 's'}`,
      ...(rateLimit ? ['a rate limit'] : []),
    ];
    const text = `${path}: ${parts.join(', ')}`;
    if (days >= SOON_DAYS) return { topic, level: 'ok', text };
    return { topic, level: days < 0 ? 'problem' : 'note', text, change: `renew the certificate that ${path} names` };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { topic, level: 'problem', text: error.message };
  }
}

/** The value of a flag that belongs to a collector. */
const textsOf = (program: Program, parsed: ParsedFlags, name: string): readonly string[] => {
  const found = program.declared.flags.find((each) => each.name === name);
  return found === undefined ? [] : (parsed.valueOf(found) as readonly string[]);
};

/** A logger that keeps what is worse than a message. */
function keepFaults(faults: string[]): Logger {
  const keep = (_: string, fields: LogFields = {}): void => {
    // What is said without an error, such as that a folder is empty, is among the findings already.
    if (fields['err'] !== undefined)
      faults.push([fields['file'], fields['err']].filter((part) => part !== undefined).join(': '));
  };
  const log: Logger = { ...silent, warn: keep, error: keep, with: () => log };
  return log;
}

async function folderFindings(pattern: string): Promise<Advised[]> {
  const topic = 'text files';
  const found: Advised[] = [];
  for (const path of await glob(pattern)) {
    const folder = decodeName(path);
    try {
      const count = readdirSync(pathOf(path)).filter((name) => name.endsWith('.prom')).length;
      const text = `${folder}: ${count === 0 ? 'no *.prom file' : `${count} file${count === 1 ? '' : 's'}`}`;
      found.push({ topic, level: count === 0 ? 'note' : 'ok', text });
    } catch (error) {
      const change = `make ${folder} a folder that this user can read, or name another with --collector.textfile.directory`;
      const why = hasErrno(error, ['ENOENT']) ? 'there is no such folder' : messageOf(error);
      found.push({ topic, level: 'problem', text: `${folder}: ${why}`, change });
    }
  }
  return found.length > 0 ? found : [{ topic, level: 'problem', text: `${pattern}: no folder matches` }];
}

/** Every folder of text files, and every file in them that cannot be used. */
export async function textfileFindings(program: Program, parsed: ParsedFlags): Promise<Advised[]> {
  const topic = 'text files';
  const folders = textsOf(program, parsed, 'collector.textfile.directory').filter((folder) => folder !== '');
  if (folders.length === 0) return [{ topic, level: 'ok', text: 'none asked for (--collector.textfile.directory)' }];
  const findings = (await Promise.all(folders.map(folderFindings))).flat();
  const faults: string[] = [];
  const { scrape, close } = openTrial(program, parsed, collectorsNamed(program, 'textfile'), keepFaults(faults));
  await scrape();
  close();
  const named = findings.map(({ text }) => text.split(': ')[0]);
  return [
    ...findings,
    ...faults
      .filter((fault) => !named.includes(fault.split(': ')[0]))
      .map((text): Advised => ({ topic, level: 'problem', text })),
  ];
}

const ENERGY: Readonly<Record<Setting, string>> = {
  kubernetes: "for energy: add DAC_READ_SEARCH beside PERFMON in the container's securityContext",
  container: 'for energy: --cap-add=DAC_READ_SEARCH in the command that runs the container',
  systemd: 'for energy: CAP_DAC_READ_SEARCH beside CAP_PERFMON in AmbientCapabilities= and CapabilityBoundingSet=',
  other: 'for energy: setcap cap_perfmon,cap_dac_read_search=p on the executable',
};

/** Whether the energy of the processor can be read, if the rapl collector runs. */
export async function raplFinding(program: Program, parsed: ParsedFlags, setting: Setting): Promise<Advised> {
  const topic = 'energy (rapl)';
  const { registry, scrape, close } = openTrial(program, parsed, collectorsNamed(program, 'rapl'));
  await scrape();
  const [state] = registry.states();
  close();
  if (state === undefined) return { topic, level: 'note', text: 'no rapl collector' };
  const { error, series } = state;
  if (error === undefined)
    return { topic, level: 'ok', text: series === 0 ? 'this machine reports none' : `${series} zones can be read` };
  const isRefused = /readable by root only/.test(error);
  return { topic, level: 'note', text: error, ...(isRefused ? { change: ENERGY[setting] } : {}) };
}

/** Which exporter this is about. */
export const runningFinding = (running: RunningExporter | undefined): Advised => ({
  topic: 'exporter',
  level: 'ok',
  text:
    running === undefined
      ? 'no Keyhole runs here, so doctor uses the flags of its own command line'
      : `process ${running.pid}${running.unit === '' ? '' : ` in ${running.unit}`}, whose flags are taken: ${running.argv.join(' ') || 'none'}`,
});

/** Settings of a unit that hide what an exporter has to see: the value that does, and what is gone. */
const HIDING: readonly (readonly [setting: string, value: RegExp, hides: string])[] = [
  ['ProtectProc', /invisible|noaccess|ptraceable/, 'the processes of other users (processes)'],
  ['ProcSubset', /pid/, 'everything in /proc but processes'],
  ['PrivateNetwork', /yes/, "the machine's network devices"],
  ['ProtectHome', /yes|tmpfs/, 'what is mounted below /home and /root, and text files there'],
  ['PrivateUsers', /yes/, 'perf counters: capabilities of a user namespace do not open them'],
  ['NoNewPrivileges', /yes/, 'file capabilities of the executable, unless AmbientCapabilities= gives them'],
];

/** What the unit takes from the exporter; `properties` are lines of `systemctl show`. */
export function unitFindings(unit: string, properties: string): Advised[] {
  const values = new Map(
    properties.split('\n').map((line) => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]),
  );
  const isAmbient = /cap_perfmon/i.test(values.get('AmbientCapabilities') ?? '');
  const hidden = HIDING.filter(([setting, value]) => value.test(values.get(setting) ?? '-')).filter(
    ([setting]) => setting !== 'NoNewPrivileges' || !isAmbient,
  );
  if (hidden.length === 0) return [{ topic: 'unit', level: 'ok', text: `${unit} hides nothing that Keyhole reads` }];
  return hidden.map(([setting, , hides]) => ({
    topic: 'unit',
    level: 'note',
    text: `${unit} has ${setting}=${values.get(setting)}, which hides ${hides}`,
    change: `if that is wanted, take ${setting}= out of ${unit}: systemctl edit ${unit}`,
  }));
}

export const UNIT_SETTINGS: readonly string[] = [...HIDING.map(([setting]) => setting), 'AmbientCapabilities'];
