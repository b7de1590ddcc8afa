// Takes what was measured into docs/performance.md and its plot.
import { readFileSync, writeFileSync } from 'node:fs';
import type { Cost, Pair } from './pair.ts';

export interface Row extends Pair {
  readonly name: string;
  readonly atMost: number;
}

const DOCS = new URL('../docs/', import.meta.url).pathname;
const START = '<!-- measured: npm run bench -- --write -->';
const END = '<!-- end of what is measured -->';

function table(rows: readonly Row[]): string {
  const both = ({ own, other }: Row, key: keyof Cost, digits: number): string =>
    `${own[key].toFixed(digits)} / ${other[key].toFixed(digits)}`;
  const head = [
    '| a scrape of | samples | CPU, ms | ratio | claimed | p99, ms | page faults | resident, MiB | anonymous, MiB |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ];
  const body = rows.map((row) =>
    [
      row.name,
      both(row, 'samples', 0),
      both(row, 'cpuMs', 2),
      `**${row.ratio.toFixed(2)}**`,
      row.atMost.toFixed(2),
      both(row, 'p99Ms', 1),
      both(row, 'pageFaults', 0),
      both(row, 'residentMib', 0),
      both(row, 'anonymousMib', 0),
    ].join(' | '),
  );
  return [...head, ...body.map((cells) => `| ${cells} |`)].join('\n');
}

/** With a ground of its own: a page's colours need not be those that the reader prefers. */
const STYLE = `
  .ground { fill: #ffffff; }
  text { font: 14px sans-serif; fill: #1f2328; }
  .small { font-size: 12px; fill: #59636e; }
  .own { fill: #1a7f37; }
  .other { fill: #b7bec6; }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0d1117; }
    text { fill: #f0f6fc; }
    .small { fill: #9198a1; }
    .own { fill: #3fb950; }
    .other { fill: #4b535d; }
  }
`;
const WIDTH = 760;
const LEFT = 12;
const FULL = 600;
const STEP = 74;

function plot(rows: readonly Row[]): string {
  const bars = rows.map(({ name, ratio, own, other }, i) => {
    const y = 44 + i * STEP;
    const [short, full] = [Math.min(ratio, 1.1) * FULL, FULL];
    return [
      `<text x="${LEFT}" y="${y}">${name}</text>`,
      `<rect class="own" x="${LEFT}" y="${y + 8}" width="${short.toFixed(1)}" height="16" rx="2"/>`,
      `<text class="small" x="${(LEFT + short + 8).toFixed(1)}" y="${y + 21}">${ratio.toFixed(2)} (${own.cpuMs.toFixed(1)} ms)</text>`,
      `<rect class="other" x="${LEFT}" y="${y + 27}" width="${full}" height="16" rx="2"/>`,
      `<text class="small" x="${LEFT + full + 8}" y="${y + 40}">1 (${other.cpuMs.toFixed(1)} ms)</text>`,
    ].join('\n');
  });
  const height = 44 + rows.length * STEP;
  const says = rows.map(({ name, ratio }) => `${name}: ${ratio.toFixed(2)}`).join('; ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    `<title>CPU time of a scrape, node_exporter's being 1: ${says}</title>`,
    `<style>${STYLE}</style>`,
    `<rect class="ground" width="${WIDTH}" height="${height}" rx="6"/>`,
    `<rect class="own" x="${LEFT}" y="8" width="12" height="12" rx="2"/><text class="small" x="${LEFT + 18}" y="18">Keyhole</text>`,
    `<rect class="other" x="${LEFT + 90}" y="8" width="12" height="12" rx="2"/><text class="small" x="${LEFT + 108}" y="18">node_exporter = 1</text>`,
    ...bars,
    '</svg>\n',
  ].join('\n');
}

export function writePage(rows: readonly Row[]): void {
  const page = readFileSync(`${DOCS}performance.md`, 'utf8');
  const [start, end] = [page.indexOf(START), page.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`docs/performance.md has no "${START}" before "${END}"`);
  const until = page.slice(0, start + START.length);
  writeFileSync(`${DOCS}performance.md`, `${until}\n\n${table(rows)}\n\n${page.slice(end)}`);
  writeFileSync(`${DOCS}performance.svg`, plot(rows));
}
