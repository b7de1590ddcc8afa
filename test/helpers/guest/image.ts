// Runs inside an arm64 guest: the files of the image, below /image, with nothing of the guest's own but its kernel.
import { execFileSync } from 'node:child_process';
import { byCpu, startKeyhole, tell } from './inside.ts';

const run = (...command: readonly [string, ...string[]]): string =>
  execFileSync(command[0], command.slice(1), { encoding: 'utf8' });

async function main(): Promise<void> {
  for (const each of ['proc', 'sys']) run('/bin/mount', '--bind', `/${each}`, `/image/${each}`);
  tell({ version: run('/bin/chroot', '/image', '/bin/node_exporter', '--version') });
  const keyhole = await startKeyhole(9100, [], ['/bin/chroot', '/image', '/bin/keyhole']);
  const first = await keyhole.scrape();
  const second = await keyhole.scrape();
  const rise = (family: string): number =>
    (byCpu(second, family)['0'] ?? Number.NaN) - (byCpu(first, family)['0'] ?? 0);
  tell({
    cycles: rise('node_perf_cpucycles_total'),
    instructions: rise('node_perf_instructions_total'),
    stages: [...(second.get('keyhole_privilege_info')?.samples.keys() ?? [])],
    capableThreads: second.get('keyhole_privilege_capable_threads')?.samples.get(''),
    status: await keyhole.stop(),
  });
}

void main();
