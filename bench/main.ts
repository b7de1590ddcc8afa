// Measures every claim about speed, one after another. Exit status 1 where one does not hold.
import { globSync } from 'node:fs';
import process from 'node:process';
import type { Claim } from './claim.ts';

const folder = new URL('./', import.meta.url).pathname;
const only = process.argv.slice(2);
const files = globSync('*.ts', { cwd: folder })
  .filter((file) => !['main.ts', 'claim.ts', 'cpu.ts'].includes(file))
  .filter((file) => only.length === 0 || only.some((part) => file.includes(part)))
  .sort();
for (const file of files) {
  const { claims } = (await import(`./${file}`)) as { claims: readonly Claim[] };
  for (const { says, atMost, measure } of claims) {
    const result = await measure();
    if ('skipped' in result) {
      process.stdout.write(`SKIPPED: ${says}\n      ${result.skipped}\n`);
      continue;
    }
    const holds = result.ratio <= atMost;
    if (!holds) process.exitCode = 1;
    process.stdout.write(
      `${holds ? 'holds' : 'FAILS'} ${says}\n      ratio ${result.ratio.toFixed(3)}, claimed ${atMost.toFixed(3)}; ${result.detail}\n`,
    );
  }
}
