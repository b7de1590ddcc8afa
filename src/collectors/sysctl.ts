import { type Collect, defineCollector } from '../core/collector.ts';
import { ParseError } from '../core/errors.ts';
import { flag } from '../core/flag.ts';
import type { Line, Lines } from '../core/host.ts';
import { dynamic, gauge } from '../core/metric.ts';
import { bytesOf } from '../core/utf8.ts';
import type { LayoutWriter } from '../core/writer.ts';

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

/** A word of a sysctl. */
interface Word {
  readonly line: Line;
  readonly column: number;
}

/** All words, of which there are as many as the sysctl has keys. */
function wordsOf({ name, keys }: Sysctl, lines: Lines): Word[] {
  const words = [...lines].flatMap((line) => Array.from({ length: line.length }, (_, column) => ({ line, column })));
  if (keys.length > 0 && (words.length === 1 || words.length !== keys.length))
    throw new ParseError(`sysctl ${name}: ${words.length} values for ${keys.length} keys`, lines.at(0)?.rest(0) ?? '');
  return words;
}

const metrics = {
  single: dynamic.untyped('node_sysctl_<name>', 'The sysctl <name>.'),
  indexed: dynamic.untyped('node_sysctl_<name>', 'The sysctl <name>.', 'index'),
  keyed: dynamic.untyped('node_sysctl_<name>_<key>', 'Of the sysctl <name>, the value <key>.'),
  info: gauge('node_sysctl_info', 'The words of a sysctl; the value is always 1.', 'name', 'value', 'index'),
} as const;

type Write = (sysctl: Sysctl, lines: Lines, out: LayoutWriter) => void;

const writeNumbers: Write = (sysctl, lines, out) => {
  const { name, keys } = sysctl;
  const words = wordsOf(sysctl, lines);
  for (const [index, { line, column }] of words.entries()) {
    const number = line.auto(column);
    if (keys.length > 0) out.sample(metrics.keyed.of(name, keys[index] as string), number);
    else if (words.length > 1) out.sample(metrics.indexed.of(name), number, String(index));
    else out.sample(metrics.single.of(name), number);
  }
};

const writeWords: Write = (sysctl, lines, out) => {
  const { name, keys } = sysctl;
  const words = wordsOf(sysctl, lines).map(({ line, column }) => line.word(column));
  if (keys.length > 0) throw new ParseError(`sysctl ${name}: keys are for numbers only`, words.join(' '));
  for (const [index, word] of words.entries()) out.sample(metrics.info, 1, name, word, String(index));
};

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
    /** https://docs.kernel.org/admin-guide/sysctl/ */
    const tableOf = (text: string, write: Write): Collect => {
      const sysctl = parseSysctl(text);
      return proc.table(`sys/${bytesOf(sysctl.name).replaceAll('.', '/')}`, (lines, out) => write(sysctl, lines, out));
    };
    return [
      ...flags.include.map((text) => tableOf(text, writeNumbers)),
      ...flags.includeInfo.map((text) => tableOf(text, writeWords)),
    ];
  },
});
