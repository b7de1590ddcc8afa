// Runs inside of new network and mount namespaces: makes pairs of veth, compares both exporters, and writes the result as JSON.
import { execFileSync } from 'node:child_process';
import process from 'node:process';
import { comparePair } from '../pair.ts';

const [reference = '', ...numbers] = process.argv.slice(2);
const [pairs = 0, rounds = 0, scrapes = 0] = numbers.map(Number);
// The /sys of before shows the interfaces of before.
execFileSync('mount', ['-t', 'sysfs', 'sysfs', '/sys']);
const commands = ['link set lo up'];
for (let i = 0; i < pairs; i += 1) {
  commands.push(`link add left${i} type veth peer name right${i}`, `link set left${i} up`, `link set right${i} up`);
}
execFileSync('ip', ['-batch', '-'], { input: `${commands.join('\n')}\n`, stdio: ['pipe', 'ignore', 'inherit'] });
const pair = await comparePair({ reference, args: [], rounds, scrapes, warm: 20, gapMs: 0 });
process.stdout.write(JSON.stringify(pair));
