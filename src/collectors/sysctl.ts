import { defineCollector } from '../core/collector.ts';
import { ParseError, parsed } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Tree } from '../core/host.ts';
import { dynamic, gauge } from '../core/metric.ts';
import { autoInt, fields } from '../core/text.ts';
import type { Writer } from '../core/writer.ts';

/** A sysctl as a flag names it. */
export interface Sysctl {
  /** With dots, as sysctl(8) takes it. */
  readonly name: string;
  /** What to call its values, in the kernel's order; empty where the flag has no `:`. */
  readonly keys: readonly string[];
}

/** Parses `name` or `name:key,key`. */
export function parseSysctl(text: string): Sysctl {
  const colon = text.indexOf(':');
  return colon < 0 ? { name: text, keys: [] } : { name: text.slice(0, colon), keys: text.slice(colon + 1).split(',') };
}

/** The words of `/proc/sys/<name>`, as many as the sysctl has keys. https://docs.kernel.org/admin-guide/sysctl/ */
function readWords(proc: Tree, { name, keys }: Sysctl): string[] {
  const text = proc.readOnce(`sys/${name.replaceAll('.', '/')}`);
  const words = fields(text);
  if (words.length === 0) throw new ParseError(`sysctl ${name}: no value`, text);
  if (keys.length > 0 && (words.length === 1 || words.length !== keys.length))
    throw new ParseError(`sysctl ${name}: ${words.length} values for ${keys.length} keys`, text);
  return words;
}

const metrics = {
  single: dynamic.untyped('node_sysctl_<name>', 'The sysctl <name>.'),
  indexed: dynamic.untyped('node_sysctl_<name>', 'The sysctl <name>.', 'index'),
  keyed: dynamic.untyped('node_sysctl_<name>_<key>', 'Of the sysctl <name>, the value <key>.'),
  info: gauge('node_sysctl_info', 'The words of a sysctl; the value is always 1.', 'name', 'value', 'index'),
} as const;

function collectNumbers(proc: Tree, sysctl: Sysctl, out: Writer): void {
  const { name, keys } = sysctl;
  const numbers = readWords(proc, sysctl).map((word) => parsed(autoInt(word), `sysctl ${name}`, word));
  for (const [index, number] of numbers.entries()) {
    if (keys.length > 0) out.sample(metrics.keyed.of(name, keys[index] as string), number);
    else if (numbers.length > 1) out.sample(metrics.indexed.of(name), number, String(index));
    else out.sample(metrics.single.of(name), number);
  }
}

function collectWords(proc: Tree, sysctl: Sysctl, out: Writer): void {
  const words = readWords(proc, sysctl);
  if (sysctl.keys.length > 0) throw new ParseError(`sysctl ${sysctl.name}: keys are for numbers only`, words.join(' '));
  for (const [index, word] of words.entries()) out.sample(metrics.info, 1, sysctl.name, word, String(index));
}

export default defineCollector({
  name: 'sysctl',
  help: 'Exposes the sysctls that its flags name.',
  enabled: false,
  reads: ['/proc/sys/**'],
  flags: {
    include: flag.texts('collector.sysctl.include', 'Sysctl with integers: name, or name:key,key; repeatable.'),
    includeInfo: flag.texts('collector.sysctl.include-info', 'Sysctl with words, as an info metric; repeatable.'),
  },
  metrics,
  setup({ proc, flags }) {
    const numbers = flags.include.map(parseSysctl);
    const words = flags.includeInfo.map(parseSysctl);
    return (out) => {
      let failure: unknown;
      const each = (sysctls: readonly Sysctl[], collect: typeof collectNumbers): void => {
        for (const sysctl of sysctls) {
          try {
            collect(proc, sysctl, out);
          } catch (error) {
            failure ??= error;
          }
        }
      };
      each(numbers, collectNumbers);
      each(words, collectWords);
      if (failure !== undefined) throw failure;
    };
  },
});
