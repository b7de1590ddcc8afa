import { type AnyCollector, enabledOf, toggleOf } from '../core/assemble.ts';
import type { Metric } from '../core/collector.ts';
import { UsageError } from '../core/errors.ts';
import { type ParsedFlags, parseFlags } from '../core/flag.ts';
import { nearest } from '../core/similar.ts';
import { HELPS } from './command_helps.ts';
import type { Command, Program } from './commands.ts';
import { documentOf } from './documents.ts';
import { commandFlags, programFlags } from './flags.ts';
import { type Found, type Located, locate, type Series, seriesNow } from './locate.ts';
import { callsOf, helpOf, ownFilesOf } from './metric_facts.ts';
import { ownSeries } from './own_series.ts';
import { promqlOf } from './promql.ts';

/** A metric and who declares it; the exporter itself where there is no collector. */
interface Declaration {
  readonly metric: Metric;
  readonly collector: AnyCollector | undefined;
}

const nameOf = (metric: Metric): string => ('pattern' in metric ? metric.pattern : metric.name);

/** The parts of histograms and summaries have names of their own. */
const partOf = (name: string): string => name.replace(/_(bucket|sum|count)$/, '');

function matches(metric: Metric, name: string): boolean {
  if (metric.type === 'any') return false;
  const isCompound = metric.type === 'histogram' || metric.type === 'summary';
  const names = isCompound ? [name, partOf(name)] : [name];
  if (!('pattern' in metric)) return names.includes(metric.name);
  const source = metric.pattern.replace(/<[a-z_]+>/g, '[a-zA-Z0-9_:]+');
  return names.some((each) => each === metric.pattern || new RegExp(`^${source}$`).test(each));
}

/** Those that a name may come from, the one with the most letters of its own first: `node_memory_<field>` would take names that others have. */
async function declarationsOf(name: string, program: Program): Promise<readonly Declaration[]> {
  const all: Declaration[] = [
    ...program.collectors.flatMap((collector) =>
      Object.values(collector.metrics as Record<string, Metric>).map((metric) => ({ metric, collector })),
    ),
    ...(await program.ownMetrics()).map((metric) => ({ metric, collector: undefined })),
  ];
  const exactness = ({ metric }: Declaration): number => nameOf(metric).replace(/<[a-z_]+>/g, '').length;
  const found = all.filter(({ metric }) => matches(metric, name)).sort((a, b) => exactness(b) - exactness(a));
  if (found.length > 0) return found;
  const meant = nearest(
    name,
    all.map(({ metric }) => nameOf(metric)),
  );
  throw new UsageError(
    `no collector declares ${name}`,
    /^go_/.test(name)
      ? { hint: "which is about node_exporter's own runtime: nodejs_* is about that of Keyhole" }
      : meant === undefined
        ? {}
        : { hint: `did you mean '${meant}'?` },
  );
}

/** `name{a="b"}` as typed. */
function parseMetric(text: string): { name: string; labels: ReadonlyMap<string, string> } {
  const [, name, braces = ''] = /^([a-zA-Z_:][a-zA-Z0-9_:<>]*)(?:\{(.*)\})?$/.exec(text) ?? [];
  if (name === undefined) throw new UsageError(`${JSON.stringify(text)} is not a metric name`);
  const pairs = [...braces.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"/g)];
  return { name, labels: new Map(pairs.map(([, label = '', value = '']) => [label, value])) };
}

interface Report {
  readonly metric: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly collector?: string;
  readonly enabled?: boolean;
  readonly reads: readonly string[];
  readonly documents: readonly string[];
  readonly series: readonly (Series & { readonly place?: Located })[];
  readonly seriesCount: number;
  /** Why there are none, where the collector knows. */
  readonly why?: string;
  readonly promql: string;
}

/** Each place costs a few runs of the collector, or some thousand where there is none. */
const SHOWN_MAX = 3;
const TRIED_MS = 4000;

type Explained = Declaration & Found;

/** The declaration that gives the series now, of a collector that is on first: a flag may switch one of two on. */
export async function sourceOf(
  text: string,
  program: Program,
  parsed: ParsedFlags,
): Promise<Explained & { name: string }> {
  const { name, labels } = parseMetric(text);
  const isOn = ({ collector }: Declaration): boolean =>
    collector !== undefined && enabledOf([collector], parsed, parsed.valueOf(programFlags.disableDefaults)).length > 0;
  const all = await declarationsOf(name, program);
  const sorted = [...all.filter(isOn), ...all.filter((each) => !isOn(each))];
  const tried: Explained[] = [];
  for (const { metric, collector } of sorted) {
    const now =
      collector === undefined
        ? await ownSeries(parsed, name, labels)
        : await seriesNow({ program, parsed, collector, name, labels });
    tried.push({ metric, collector, ...now });
    if (now.series.length > 0) break;
  }
  const found = tried.find(({ series }) => series.length > 0) ?? (tried[0] as Explained);
  const unknown = [...labels.keys()].find((label) => ![...found.metric.labels, 'le', 'quantile'].includes(label));
  if (unknown !== undefined)
    throw new UsageError(`${name} has no label ${unknown}: it has ${found.metric.labels.join(', ') || 'none'}`);
  return { ...found, name };
}

async function reportOf(text: string, program: Program, parsed: ParsedFlags): Promise<Report> {
  const { name, metric, collector, series: found, why } = await sourceOf(text, program, parsed);
  const about = {
    metric: name,
    type: metric.type,
    help: helpOf(metric, name),
    labels: metric.labels,
    promql: promqlOf(metric, name),
    seriesCount: found.length,
    ...(why === undefined ? {} : { why }),
  };
  if (collector === undefined)
    return { ...about, reads: ownFilesOf(name), documents: [], series: found.slice(0, SHOWN_MAX) };
  const reads = [...callsOf(collector.name, name), ...collector.reads];
  const shown = found.slice(0, SHOWN_MAX);
  const series: (Series & { place?: Located })[] = [];
  const untilMs = performance.now() + TRIED_MS;
  for (const each of shown) {
    const place = await locate({ program, parsed, collector, name, series: each, untilMs });
    series.push(place === undefined ? each : { ...each, place });
  }
  const enabled = enabledOf([collector], parsed, parsed.valueOf(programFlags.disableDefaults)).length > 0;
  const documents = [...new Set(reads.flatMap((file) => documentOf(file) ?? []))];
  return {
    ...about,
    collector: collector.name,
    enabled,
    reads,
    documents,
    series,
  };
}

const WIDTH = 12;
const row = (topic: string, text: string): string => `${topic.padEnd(WIDTH)}${text}\n`;
const rows = (topic: string, texts: readonly string[]): string =>
  texts.map((text, i) => row(i === 0 ? topic : '', text)).join('');

/** So much of a line is shown, around the number. */
const SHOWN_BEFORE = 60;
const SHOWN_AFTER = 40;

function placeRows({ file, line, column, text, number }: Located): string {
  const from = Math.max(0, column - 1 - SHOWN_BEFORE);
  const part = text.slice(from, column - 1 + number.length + SHOWN_AFTER).replaceAll('\t', ' ');
  const pointer = `${' '.repeat(column - 1 - from)}${'^'.repeat(number.length)}`;
  return rows('stands at', [`${file}, line ${line}, column ${column}`, part, pointer]);
}

const NOWHERE = [
  'unknown: no single number in these files is the value. Keyhole calculates it, it changes by',
  'itself, or it comes from a system call or over netlink.',
];

function seriesRows({ key, value, place }: Report['series'][number]): string {
  return `\n${row('value now', `${key} ${place?.value ?? value}`)}${place === undefined ? rows('stands at', NOWHERE) : placeRows(place)}`;
}

function noteOf({ series, seriesCount, why }: Report): string {
  if (seriesCount === 0)
    return `\n${row('value now', why === undefined ? 'none: this machine gives no such series' : `none here: ${why}`)}`;
  const more = seriesCount - series.length;
  return more > 0 ? `\n${row('more', `${more} other series: labels in METRIC choose among them`)}` : '';
}

function textOf(report: Report, toggle: string): string {
  const { metric, type, help, collector, enabled, reads, documents, series, promql } = report;
  const head = `${metric} (${type})\n${help}\n\n`;
  const query = `\n${row('PromQL', promql)}`;
  if (collector === undefined) {
    const own = row('collector', 'none: the exporter writes it about itself');
    const values = series.map(({ key, value }) => `\n${row('value now', `${key} ${value}`)}`);
    return [head, own, rows('reads', reads), ...values, noteOf(report), query].join('');
  }
  const state = enabled === true ? `switched on (--no-${toggle} switches it off)` : `off (--${toggle} switches it on)`;
  return [
    head,
    row('collector', `${collector}, ${state}`),
    rows('reads', reads),
    rows('document', documents.length === 0 ? ['none that is known of'] : documents),
    ...series.map(seriesRows),
    noteOf(report),
    query,
  ].join('');
}

/** `keyhole explain METRIC` */
export const explain: Command = async ([metric, ...argv], program) => {
  if (metric === undefined)
    throw new UsageError('explain wants the name of a metric', { hint: 'try keyhole explain --help' });
  if (metric === '--help' || metric === '-h') {
    program.write(HELPS.explain);
    return 0;
  }
  const parsed = parseFlags(argv, [...program.declared.flags, commandFlags.json], program.env);
  const report = await reportOf(metric, program, parsed);
  const collector = program.collectors.find(({ name }) => name === report.collector);
  const toggle = collector === undefined ? '' : toggleOf(collector).name;
  program.write(parsed.valueOf(commandFlags.json) ? `${JSON.stringify(report, null, 2)}\n` : textOf(report, toggle));
  return 0;
};
