import { createServer } from 'node:http';
import process from 'node:process';
import { programFlags } from './cli/flags.ts';
import { collectors } from './collectors/index.ts';
import { enabledOf, hostOf, setUp, toggleOf } from './core/assemble.ts';
import { render } from './core/exposition.ts';
import { parseFlags } from './core/flag.ts';
import { openTree } from './core/kernel_fs.ts';
import { createLogger } from './core/log.ts';
import { createRegistry } from './core/registry.ts';

const declared = collectors.flatMap((each) => [toggleOf(each), ...Object.values(each.flags)]);
const parsed = parseFlags(process.argv.slice(2), [...Object.values(programFlags), ...declared] as never, process.env);
const enabled = enabledOf(collectors, parsed, parsed.valueOf(programFlags.disableDefaults));
const log = createLogger({
  level: parsed.valueOf(programFlags.logLevel),
  format: 'logfmt',
  write: (line) => process.stderr.write(line),
});
const rootfs = parsed.valueOf(programFlags.rootfs);
const machine = {
  proc: openTree(parsed.valueOf(programFlags.procfs)),
  sys: openTree(parsed.valueOf(programFlags.sysfs)),
  udev: openTree(parsed.valueOf(programFlags.udevData)),
  rootfs: rootfs === '/' ? rootfs : rootfs.replace(/\/+$/, ''),
  log,
  now: () => performance.timeOrigin + performance.now(),
};
const registry = createRegistry(
  enabled.map((each) => setUp(each, hostOf(each, { machine, parsed, enabled }))),
  { timeoutMs: parsed.valueOf(programFlags.collectorTimeoutMs), log },
);
const address = parsed.valueOf(programFlags.listenAddress)[0] as string;
createServer(async (_request, response) => {
  const { text } = render(await registry.scrape());
  response.setHeader('Content-Type', 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores');
  response.end(text);
}).listen(Number(address.slice(address.lastIndexOf(':') + 1)));
