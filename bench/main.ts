// Measures every claim about speed, one after another. Exit status 1 where one does not hold. Words choose among the files of claims
// by a part of their names; --write takes what was measured into docs/performance.md.
import process from 'node:process';
import type { Claim, Measured } from './claim.ts';
import { type Row, writePage } from './page.ts';

const FILES = ['scrape', 'large', 'veth', 'perf', 'perf_cgroups', 'answer'];

const words = process.argv.slice(2);
const isWriting = words.includes('--write');
const only = words.filter((word) => word !== '--write');

async function measured({ says, atMost, measure }: Claim): Promise<Measured | undefined> {
  try {
    const result = await measure();
    if ('skipped' in result) {
      process.stdout.write(`SKIPPED: ${says}\n      ${result.skipped}\n`);
      return undefined;
    }
    const holds = result.ratio <= atMost;
    if (!holds) process.exitCode = 1;
    const ratio = `ratio ${result.ratio.toFixed(3)}, claimed ${atMost.toFixed(3)}`;
    process.stdout.write(`${holds ? 'holds' : 'FAILS'} ${says}\n      ${ratio}; ${result.detail}\n`);
    return result;
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`FAILS ${says}\n      cannot be measured: ${(error as Error).message}\n`);
    return undefined;
  }
}

const rows: Row[] = [];
const lacking: string[] = [];
for (const file of FILES) {
  const { claims } = (await import(`./${file}.ts`)) as { claims: readonly Claim[] };
  const isChosen = only.length === 0 || only.some((part) => file.includes(part));
  for (const claim of claims) {
    const result = isChosen ? await measured(claim) : undefined;
    if (claim.row === undefined) continue;
    if (result?.pair === undefined) lacking.push(claim.row);
    else rows.push({ ...result.pair, name: claim.row, atMost: claim.atMost });
  }
}
if (isWriting && lacking.length === 0) {
  writePage(rows);
} else if (isWriting) {
  process.exitCode = 1;
  process.stdout.write(
    `docs/performance.md stays as it is, for want of ${lacking.map((row) => `"${row}"`).join(', ')}\n`,
  );
}
