// Runs inside of new network and mount namespaces: makes pairs of veth, compares both exporters, and writes the result as JSON.
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
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
// Until the kernel has checked that nobody else has the addresses that it made, they send nothing.
await delay(3000);

const socket = createSocket('udp6').bind(0);
await once(socket, 'listening');
/** One datagram to everybody on this link: the counters of both of its ends move. */
const send = (to: string): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.send('x', 9, to, (error) => (error === null ? resolve() : reject(error)));
  });
const links = Array.from({ length: pairs }, (_, i) => `ff02::1%left${i}`);
const tick = async (): Promise<void> => {
  await Promise.all(links.map(send));
};

const pair = await comparePair({ reference, args: [], rounds, scrapes, warm: 20, gapMs: 0, tick });
socket.close();
process.stdout.write(JSON.stringify(pair));
