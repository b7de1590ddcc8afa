import { basename } from 'node:path';
import process from 'node:process';
import {
  askedText,
  type CommandLine,
  type Declared,
  declare,
  parseCommandLine,
  prepareParsing,
  warnAbout,
} from './cli/command_line.ts';
import { commandNamed, type OpenMachine, type Program } from './cli/commands.ts';
import { programFlags } from './cli/flags.ts';
import { buildInfo } from './cli/version.ts';
import { collectors } from './collectors/index.ts';
import { type AnyCollector, enabledOf, hostOf, type Machine, setUp } from './core/assemble.ts';
import type { Metric } from './core/collector.ts';
import { withArgumentFiles } from './core/command_line.ts';
import { hasErrno, messageOf, UsageError } from './core/errors.ts';
import type { ParsedFlags } from './core/flag.ts';
import { boundedWrite, createLogger, type Logger } from './core/log.ts';
import { loadPatterns } from './core/pattern.ts';
import { createRegistry, type Registry, scrapeMetrics } from './core/registry.ts';
import { openMachine } from './machine.ts';
import type { Candidate } from './privilege/acquire.ts';
import { type Privilege, privilegeMetrics, settlePrivilege } from './privilege/privilege.ts';
import { OPENER } from './privilege/separate.ts';
import { type ListenAddress, parseAddress } from './server/address.ts';
import type { Inherited } from './server/listen.ts';
import type { RunningServer } from './server/start.ts';
import { hasSystemdSockets, systemdSockets } from './server/systemd_socket.ts';
import { webFiles } from './server/web_files.ts';
import type { Source } from './source/source.ts';
import { createSpare } from './syscall/memory.ts';
import { spareMemory } from './syscall/readahead.ts';
import { exit, startThreadPool } from './syscall/thread_pool.ts';

spareMemory(process.constrainedMemory());

/** After so many scrapes the start is over; after more, what was hot is compiled. */
const SETTLED_SCRAPES: readonly number[] = [20, 300];
/** How often garbage that has grown old is given back: V8 by itself lets the heap grow to twice its size first. */
const HEAP_SCRAPES = 1000;
/** How often what compiling has left is given back. */
const FREE_SCRAPES = 100;
/** How often code that was needed once is given back. */
const CODE_SCRAPES = 250;
/** What a scrape under way has after SIGTERM. */
const DRAIN_MS = 4000;
/** EX_TEMPFAIL of sysexits.h: nothing is wrong that a new start would not mend. */
const STATUS_AGAIN = 75;

// Files that are not there are the rule in /sys, and each costs an Error: without a stack it costs a third less.
Error.stackTraceLimit = 0;

/** The name the program was started by: `keyhole`, `node_exporter`. */
function programName(argv: readonly string[]): string {
  const name = basename(argv[1] ?? '');
  return name === '' || /^main\.[cm]?[jt]s$/.test(name) ? 'keyhole' : name;
}

function openLog(parsed: ParsedFlags): Logger {
  const format = parsed.valueOf(programFlags.logFormat);
  const level = parsed.valueOf(programFlags.logLevel);
  return createLogger({ level, format, write: boundedWrite(process.stderr) }, { source: 'main.ts' });
}

const machineOf = (parsed: ParsedFlags, log: Logger): OpenMachine =>
  openMachine(parsed, log, {
    needsProc: enabledOf(collectors, parsed, parsed.valueOf(programFlags.disableDefaults)).some(({ reads }) =>
      reads.some((path) => path.startsWith('/proc/')),
    ),
    end(why) {
      log.error('Ending, to be started again', { reason: why, status: STATUS_AGAIN });
      process.exitCode = STATUS_AGAIN;
      process.kill(process.pid, 'SIGTERM');
    },
  });

interface Parts {
  readonly argv: readonly string[];
  readonly parsed: ParsedFlags;
  readonly machine: Machine;
  readonly enabled: readonly AnyCollector[];
  readonly log: Logger;
  readonly source: Source;
}

const candidateOf = (collector: AnyCollector, { machine, parsed, enabled }: Parts): Candidate => ({
  collector,
  host: hostOf(collector, { machine, parsed, enabled }),
});

/** Executes the program again, and so does not return, unless it is what was executed. */
function settle(parts: Parts, listenOn: readonly (ListenAddress | Inherited)[]): Privilege {
  const { parsed, machine, enabled, log } = parts;
  return settlePrivilege({
    mode: parsed.valueOf(programFlags.privilegeMode),
    sandbox: parsed.valueOf(programFlags.privilegeSandbox),
    user: parsed.valueOf(programFlags.privilegeUser),
    candidates: enabled.map((each) => candidateOf(each, parts)),
    listenOn: listenOn.filter((where) => 'port' in where),
    passed: listenOn.flatMap((where) => ('fd' in where ? where.fd : [])),
    trees: { '/proc': machine.proc.root, '/sys': machine.sys.root, '/run/udev/data': machine.udev.root },
    rootfs: machine.rootfs,
    files: webFiles(parsed.valueOf(programFlags.webConfigFile)),
    argv: parts.argv,
    log,
    env: process.env,
  });
}

function setUpAll(parts: Parts, { acquired, reacquire }: Privilege): Registry {
  const { parsed, machine, enabled, log, source } = parts;
  const ready = enabled.map((each) => {
    const own = acquired.get(each.name);
    return setUp(
      each,
      hostOf(each, {
        machine,
        parsed,
        enabled,
        ...(own === undefined ? {} : { acquired: own }),
        ...(own === undefined || reacquire === undefined
          ? {}
          : { reacquire: () => reacquire(candidateOf(each, parts)) }),
      }),
    );
  });
  log.info('Enabled collectors');
  for (const { name } of ready) log.info(name);
  return createRegistry(ready, {
    timeoutMs: parsed.valueOf(programFlags.collectorTimeoutMs),
    log,
    onBegin: () => source.clock.begin(),
    onRun: (part) => source.clock.turnTo(part),
  });
}

/** They end a process that does not ask for them, unless it is one of Go: whoever sends one to node_exporter means no harm. */
const UNHEEDED: readonly NodeJS.Signals[] = ['SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO'];

function endOnSignals(server: RunningServer, log: Logger): void {
  const end = (signal: NodeJS.Signals): void => {
    log.info('Ending', { signal });
    void server.close(DRAIN_MS).then(() => exit(Number(process.exitCode ?? 0)));
  };
  for (const signal of UNHEEDED) process.on(signal, () => {});
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
}

/**
 * Sockets that are handed over are in the way of whoever would bind the same port: they are used even if nobody asked. A stale
 * count that nobody asked for is no reason not to start.
 */
function handedOver(parsed: ParsedFlags, env: NodeJS.ProcessEnv, log: Logger): readonly Inherited[] | undefined {
  const isAsked = parsed.isGiven(programFlags.systemdSocket);
  const isWanted = isAsked ? parsed.valueOf(programFlags.systemdSocket) : hasSystemdSockets(env, process.pid);
  if (!isWanted) return undefined;
  try {
    return systemdSockets(env, process.pid);
  } catch (error) {
    if (isAsked) throw error;
    log.warn('systemd hands over no sockets: listening on addresses', { err: messageOf(error) });
    return undefined;
  }
}

async function serve(commandLine: CommandLine, declared: Declared): Promise<void> {
  await prepareParsing(commandLine, declared);
  const parsed = parseCommandLine(commandLine, declared);
  const log = openLog(parsed);
  // Whatever one scrape or connection runs into, the others go on.
  process.on('uncaughtException', (error) => log.error('unexpected error', { err: messageOf(error) }));
  const sockets = handedOver(parsed, commandLine.env, log);
  const listenOn = sockets ?? parsed.valueOf(programFlags.listenAddress).map((text) => parseAddress(text));
  const { machine, source } = machineOf(parsed, log);
  const enabled = enabledOf(collectors, parsed, parsed.valueOf(programFlags.disableDefaults));
  const parts = { argv: commandLine.argv, parsed, machine, enabled, log, source };
  const privilege = settle(parts, listenOn);
  startThreadPool(process.env, log);
  log.info('Starting keyhole', { version: buildInfo.version, revision: buildInfo.revision });
  log.info('Build context', { node: buildInfo.goversion, platform: `${buildInfo.goos}/${buildInfo.goarch}` });
  warnAbout(parsed, declared, log);
  if (sockets !== undefined && parsed.isGiven(programFlags.listenAddress))
    log.warn('--web.listen-address has no effect: systemd hands the sockets over (ListenStream= of the socket unit)');
  const registry = setUpAll(parts, privilege);
  // Not loaded by the stage before the seal, which is gone after some milliseconds.
  const { startServer } = await import('./server/start.ts');
  const { exporterParts } = await import('./server/exporter_metrics.ts');
  const spare = createSpare();
  const server = await startServer({
    registry,
    log,
    build: buildInfo,
    listenOn: listenOn.map((where) => {
      const fd = 'port' in where ? privilege.listenerOf(where) : undefined;
      return fd === undefined ? where : { fd };
    }),
    telemetryPath: parsed.valueOf(programFlags.telemetryPath),
    requestsMax: parsed.valueOf(programFlags.maxRequests),
    // Then nothing is new any more.
    onScraped: (count) => {
      if (SETTLED_SCRAPES.includes(count) || count % HEAP_SCRAPES === 0) setImmediate(spare.heap);
      else if (count % FREE_SCRAPES === 0) setImmediate(spare.free);
      if (SETTLED_SCRAPES.includes(count) || count % CODE_SCRAPES === 0) setImmediate(spare.code);
    },
    own: parsed.valueOf(programFlags.disableExporterMetrics)
      ? undefined
      : [
          privilege.write,
          ...exporterParts({
            own: machine.own,
            pageSizeBytes: machine.system.pageSizeBytes,
            layouts: () => source.clock.layouts,
          }),
        ],
    disabled: disabledNames(registry),
    privilege: privilege.summary,
    webConfigFile: parsed.valueOf(programFlags.webConfigFile),
  });
  log.info('Privileges', { ...privilege.shut() });
  endOnSignals(server, log);
}

const disabledNames = ({ names }: Registry): string[] =>
  collectors.map(({ name }) => name).filter((name) => !names.includes(name));

const programOf = ({ program }: CommandLine, declared: Declared): Program => ({
  name: program,
  env: process.env,
  declared,
  collectors,
  openMachine: machineOf,
  checkListening: async (addresses, path) => (await import('./server/check_config.ts')).checkListening(addresses, path),
  checkWebConfig: async (path) => (await import('./server/check_config.ts')).checkWebConfig(path),
  async ownMetrics() {
    const { metrics } = await import('./server/handler.ts');
    const { metrics: exporterMetrics } = await import('./server/exporter_metrics.ts');
    return [metrics, exporterMetrics, privilegeMetrics, scrapeMetrics].flatMap((all): Metric[] => Object.values(all));
  },
  write: (text) => void process.stdout.write(text),
});

async function main(): Promise<void> {
  // Whoever read it has gone: nothing to do about that.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  process.stdout.on('error', (error) => {
    // A full disk is another matter: what was asked for is not there.
    if (hasErrno(error, ['EPIPE'])) return;
    process.on('exit', () => {
      process.exitCode ||= 1;
    });
  });
  const program = programName(process.argv);
  try {
    const argv = withArgumentFiles(process.argv.slice(2));
    const commandLine = { program, argv, env: process.env };
    const [word, ...rest] = argv;
    if (word === OPENER) {
      const { opener } = await import('./cli/opener.ts');
      process.exitCode = opener(rest, process.env);
      return;
    }
    const declared = declare(collectors);
    const command = await commandNamed(word);
    if (command !== undefined) {
      // `doctor` reads the flags of another process besides its own, and these are not known yet.
      await loadPatterns();
      process.exitCode = await command(rest, programOf(commandLine, declared));
      return;
    }
    const text = askedText(commandLine, declared);
    if (text === undefined) await serve(commandLine, declared);
    else process.stdout.write(text);
  } catch (error) {
    const hint = error instanceof UsageError ? error.hint : undefined;
    process.stderr.write(`${program}: error: ${messageOf(error)}${hint === undefined ? '' : `, ${hint}`}\n`);
    exit(1);
  }
}

void main();
