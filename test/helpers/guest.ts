// A tiny machine of its own under QEMU: Debian's kernel, busybox, Node and a scenario that prints what it saw.
import { execFileSync, spawn } from 'node:child_process';
import { globSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';
import { type Architecture, bundle, nodeOf } from '../../tools/build.ts';
import { debianTree } from '../../tools/debian.ts';
import { lacksPackages, notRoot } from './debian.ts';

const ROOT = new URL('../../', import.meta.url).pathname;

const MACHINES = {
  arm64: {
    debian: 'arm64',
    qemu: 'qemu-system-aarch64',
    qemuPackage: 'qemu-system-arm',
    machine: ['-M', 'virt', '-cpu', 'cortex-a57'],
    console: 'ttyAMA0',
    libraries: 'aarch64-linux-gnu',
    loader: 'lib/ld-linux-aarch64.so.1',
  },
  x64: {
    debian: 'amd64',
    qemu: 'qemu-system-x86_64',
    qemuPackage: 'qemu-system-x86',
    machine: ['-M', 'q35', '-cpu', 'max'],
    console: 'ttyS0',
    libraries: 'x86_64-linux-gnu',
    loader: 'lib64/ld-linux-x86-64.so.2',
  },
} as const satisfies Record<Architecture, object>;

export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);

/** An archive in the kernel's own initramfs format. https://docs.kernel.org/driver-api/early-userspace/buffer-format.html */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Uint8Array[] = [];
  const add = ({ path, mode, data }: CpioEntry, inode: number): void => {
    const name = Buffer.from(`${path}\0`);
    const fields = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const head = Buffer.concat([Buffer.from(`070701${fields.map(hex).join('')}`), name]);
    parts.push(head, padding(head.length), data, padding(data.length));
  };
  for (const [i, entry] of entries.entries()) add(entry, i + 1);
  add({ path: 'TRAILER!!!', mode: 0, data: new Uint8Array() }, 0);
  return Buffer.concat(parts);
}

const FOLDER = 0o040755;
const FILE = 0o100755;
const LINK = 0o120777;

const folder = (path: string): CpioEntry => ({ path, mode: FOLDER, data: new Uint8Array() });
const file = (path: string, data: Uint8Array | string): CpioEntry => ({ path, mode: FILE, data: Buffer.from(data) });

/** What is at a path of this machine, link or file, for another path of the guest. */
function copy(from: string, path: string): CpioEntry {
  if (!lstatSync(from).isSymbolicLink()) return file(path, readFileSync(from));
  return { path, mode: LINK, data: Buffer.from(readlinkSync(from)) };
}

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
mount -t tmpfs none /tmp
echo 1 > /proc/sys/kernel/printk
ip link set lo up
cd /tmp
/bin/node --disable-warning=ExperimentalWarning /scenario.cjs
echo "GUEST ended with $?"
poweroff -f
`;

interface Parts {
  readonly kernel: string;
  readonly entries: readonly CpioEntry[];
}

/** Modules of the kernel below `tree`, for `/modules` of the guest. */
function moduleEntries(tree: string, names: readonly string[]): CpioEntry[] {
  const files = names.map((name) => {
    const [found] = globSync(join(tree, `lib/modules/*/kernel/**/${name}.ko{,.xz}`));
    if (found === undefined) throw new Error(`the kernel has no module ${name}`);
    const data = found.endsWith('.xz')
      ? execFileSync('xz', ['-dc', found], { maxBuffer: 1 << 28 })
      : readFileSync(found);
    return file(`modules/${name}.ko`, data);
  });
  return files.length === 0 ? [] : [folder('modules'), ...files];
}

/** The programs and the libraries of packages that are unpacked below `tree`. */
const programEntries = (tree: string, libraries: string): CpioEntry[] => [
  ...globSync(join(tree, '{,usr/}{bin,sbin}/*')).map((path) => copy(path, `bin/${basename(path)}`)),
  ...globSync(join(tree, `{,usr/}lib/${libraries}/*.so*`)).map((path) =>
    copy(path, `lib/${libraries}/${basename(path)}`),
  ),
];

/** Fetches the kernel and the userland of an architecture, once, and puts the guest together. */
function guestParts({ arch, scenario, packages: more = [], modules = [] }: GuestOptions): Parts {
  const { debian, libraries, loader } = MACHINES[arch];
  const cache = join(ROOT, 'dist/cache/guest', arch);
  // The package that follows the newest kernel names it in what it depends on.
  const meta = debianTree(debian, [`linux-image-${debian}`], join(cache, 'meta'));
  const [archive = ''] = readdirSync(join(dirname(meta.root), 'archives'));
  const depends = execFileSync('dpkg-deb', ['-f', join(dirname(meta.root), 'archives', archive), 'Depends'], {
    encoding: 'utf8',
  });
  const [image] = /linux-image-[0-9][^ ,]*/.exec(depends) ?? [];
  if (image === undefined) throw new Error(`linux-image-${debian} depends on no kernel: ${depends}`);
  const boot = debianTree(debian, [image], join(cache, 'kernel'));
  const [kernel] = globSync(join(boot.root, 'boot/vmlinuz-*'));
  if (kernel === undefined) throw new Error(`${image} has no /boot/vmlinuz`);
  const packages = ['busybox-static', 'libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1', 'libcap2-bin', 'libcap2'];
  const { root } = debianTree(debian, packages, join(cache, 'userland'));
  const extra =
    more.length === 0 ? [] : programEntries(debianTree(debian, more, join(cache, basename(scenario))).root, libraries);
  const shared = ['lib', 'usr/lib'].flatMap((place) => globSync(join(root, place, libraries, '*.so*')));
  const folders = ['bin', 'dev', 'proc', 'sys', 'tmp', 'lib', 'lib64', `lib/${libraries}`];
  const links = globSync(join(root, '{lib,lib64}/ld-linux*'));
  return {
    kernel,
    entries: [
      ...folders.map(folder),
      file('init', INIT),
      copy(join(root, 'bin/busybox'), 'bin/busybox'),
      copy(globSync(join(root, '{sbin,usr/sbin}/setcap'))[0] as string, 'bin/setcap'),
      copy(nodeOf(arch), 'bin/node'),
      ...shared.map((path) => copy(path, `lib/${libraries}/${basename(path)}`)),
      ...links.map((path) => copy(path, loader)),
      ...extra,
      ...moduleEntries(boot.root, modules),
    ],
  };
}

export interface GuestOptions {
  readonly arch: Architecture;
  /** A TypeScript file, relative to `test/`, that runs in the guest. What it prints as `RESULT <json>` comes back. */
  readonly scenario: string;
  readonly cpus: number;
  /** For the kernel's command line. */
  readonly append?: string;
  /** For QEMU. */
  readonly options?: readonly string[];
  readonly timeoutMs: number;
  readonly files?: readonly CpioEntry[];
  /** Debian packages whose programs and libraries the scenario needs. What they depend on must be named too. */
  readonly packages?: readonly string[];
  /** Modules of the kernel, for the scenario to load from `/modules`. */
  readonly modules?: readonly string[];
}

/** Why guests of this architecture cannot be had here, or `false`. */
export function lacksGuest(arch: Architecture): string | false {
  const what = `a guest of ${arch} under QEMU`;
  const missing = notRoot() || lacksPackages(MACHINES[arch].qemuPackage);
  return missing === false ? false : `${what}: ${missing}`;
}

/** Boots the guest, runs the scenario and answers its results, by name. */
export async function runGuest(guest: GuestOptions): Promise<Record<string, unknown>> {
  const { arch, scenario, cpus, append = '', options = [], timeoutMs, files = [] } = guest;
  const { qemu, machine, console: tty } = MACHINES[arch];
  const { kernel, entries } = guestParts(guest);
  const cache = join(ROOT, 'dist/cache/guest', arch);
  mkdirSync(cache, { recursive: true });
  const outfile = join(cache, 'scenario.cjs');
  await build({
    entryPoints: [join(ROOT, 'test', scenario)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['node:ffi', 'node:sea'],
    logLevel: 'warning',
  });
  const keyhole = file('keyhole.cjs', readFileSync(await bundle()));
  const initrd = join(cache, `${basename(scenario)}.cpio`);
  writeFileSync(initrd, cpio([...entries, ...files, keyhole, file('scenario.cjs', readFileSync(outfile))]));
  const args = [
    ...machine,
    ...['-smp', String(cpus), '-m', '1024', '-nodefaults', '-no-reboot', '-display', 'none', '-serial', 'stdio'],
    ...['-kernel', kernel, '-initrd', initrd, '-append', `console=${tty} quiet panic=-1 ${append}`],
    ...options,
  ];
  const output = await run(qemu, args, timeoutMs);
  const results = [...output.matchAll(/^RESULT (.*?)\r?$/gm)].map(([, json]) => JSON.parse(json as string) as object);
  const all = Object.assign({}, ...results) as Record<string, unknown>;
  if (!output.includes('GUEST ended with 0')) throw new Error(`the guest did not end well:\n${output.slice(-4000)}`);
  return all;
}

function run(command: string, args: readonly string[], timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk;
      });
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      resolve(output);
    });
  });
}
