import { type AnyCollector, hostOf, setUp } from '../core/assemble.ts';
import type { ParsedFlags } from '../core/flag.ts';
import { type Logger, silent } from '../core/log.ts';
import { createRegistry, type Registry } from '../core/registry.ts';
import { Samples } from '../core/samples.ts';
import { Page } from '../page/page.ts';
import { acquireAll } from '../privilege/acquire.ts';
import { ownPrivileges } from '../syscall/capability.ts';
import type { Program } from './commands.ts';
import { programFlags } from './flags.ts';

export interface Trial {
  readonly registry: Registry;
  /** Runs the named collectors (all by default), and answers what they wrote in the text format. */
  scrape(names?: readonly string[]): Promise<string>;
  /** Closes what was opened to read the machine. */
  close(): void;
}

/** Sets collectors up as the server does, for a command that runs them. What they open with privilege is opened too. */
export function openTrial(
  program: Program,
  parsed: ParsedFlags,
  collectors: readonly AnyCollector[],
  log: Logger = silent,
): Trial {
  const { machine, source } = program.openMachine(parsed, log);
  const parts = { machine, parsed, enabled: collectors };
  const candidates = collectors
    .filter(({ acquire }) => acquire !== undefined)
    .map((collector) => ({ collector, host: hostOf(collector, parts) }));
  const acquired = acquireAll(candidates, ownPrivileges().permitted);
  const ready = collectors.map((each) => {
    const own = acquired.get(each.name);
    return setUp(each, hostOf(each, { ...parts, ...(own === undefined ? {} : { acquired: own }) }));
  });
  const timeoutMs = parsed.valueOf(programFlags.collectorTimeoutMs);
  const registry = createRegistry(ready, { timeoutMs, log, onBegin: () => source.clock.begin() });
  const page = new Page();
  const meta = new Samples();
  return {
    registry,
    async scrape(names) {
      await registry.scrape(page, meta, names);
      return page.render().toString();
    },
    close: () => source.close(),
  };
}
