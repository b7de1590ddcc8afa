import { enabledOf } from '../core/assemble.ts';
import { type ParsedFlags, parseFlags } from '../core/flag.ts';
import { createLogger } from '../core/log.ts';
import type { Finding } from '../privilege/diagnose.ts';
import { userOf } from '../privilege/user.ts';
import { HELPS } from './command_helps.ts';
import { warnAbout } from './command_line.ts';
import type { Command, Program } from './commands.ts';
import { findingRows } from './doctor.ts';
import { textfileFindings, webConfigFinding } from './findings.ts';
import { programFlags } from './flags.ts';
import { openTrial } from './trial.ts';

/** What ends the start beside flags that cannot be read. */
async function checkServing({ checkListening }: Program, parsed: ParsedFlags): Promise<void> {
  // Sockets that systemd hands over are used in place of addresses.
  const addresses = parsed.valueOf(programFlags.systemdSocket) ? [] : parsed.valueOf(programFlags.listenAddress);
  await checkListening(addresses, parsed.valueOf(programFlags.telemetryPath));
  if (parsed.valueOf(programFlags.privilegeMode) !== 'none') userOf(parsed.valueOf(programFlags.privilegeUser));
}

/** What only the start can show. */
const listeningFinding = (parsed: ParsedFlags): Finding => ({
  topic: 'addresses',
  level: 'note',
  text: parsed.valueOf(programFlags.systemdSocket)
    ? 'systemd has to hand sockets over at the start'
    : `${parsed.valueOf(programFlags.listenAddress).join(', ')}: not tried, another program may listen there`,
});

/** `keyhole check`. Throws a `UsageError` for a command line that the server would refuse. */
export const check: Command = async (argv, program) => {
  const { declared, env, write } = program;
  const parsed = parseFlags(argv, declared.flags, env);
  if (parsed.valueOf(programFlags.help)) {
    write(HELPS.check);
    return 0;
  }
  warnAbout(parsed, declared, createLogger({ level: 'info', format: 'logfmt', write }));
  const enabled = enabledOf(program.collectors, parsed, parsed.valueOf(programFlags.disableDefaults));
  openTrial(program, parsed, enabled).close();
  await checkServing(program, parsed);
  const findings = [
    { topic: 'flags', level: 'ok', text: `can be used; ${enabled.length} collectors are switched on` } as const,
    listeningFinding(parsed),
    await webConfigFinding(program, parsed),
    ...(await textfileFindings(program, parsed)),
  ];
  write(findingRows(findings));
  return findings.some(({ level }) => level === 'problem') ? 1 : 0;
};
