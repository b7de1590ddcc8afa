import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import { addLayer, createLayout, tar } from '../../../tools/oci.ts';
import { type Pod, runPod } from './cri.ts';
import { pauseExecutable } from './pause.ts';

/** A containerd of the test's own: state, root and socket are in its folder. */
export interface Containerd {
  readonly folder: string;
  readonly socketPath: string;
  import(archive: string): void;
  runPod(): Promise<Pod>;
  stop(): Promise<void>;
}

const PAUSE = 'localhost/pause:1';

const configOf = (folder: string): string => `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.internal.v1.opt",
]
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${folder}/cni/bin"
    conf_dir = "${folder}/cni/conf"
`;

/** What holds the namespaces of a pod: an image of a program that does nothing. */
async function pauseArchive(): Promise<Buffer> {
  const layout = createLayout();
  const content = pauseExecutable();
  const { descriptor, diffId } = addLayer(layout, await tar([{ name: 'pause', type: 'file', mode: 0o755, content }]));
  const config = layout.addJson('application/vnd.oci.image.config.v1+json', {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: { Entrypoint: ['/pause'] },
    rootfs: { type: 'layers', diff_ids: [diffId] },
  });
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = layout.addJson(mediaType, { schemaVersion: 2, mediaType, config, layers: [descriptor] });
  return layout.archive([{ ...manifest, annotations: { 'io.containerd.image.name': PAUSE } }]);
}

async function untilThere(daemon: ChildProcess, socketPath: string, said: () => string): Promise<void> {
  for (const until = Date.now() + 20_000; !existsSync(socketPath); await delay(20))
    if (daemon.exitCode !== null || Date.now() > until) throw new Error(`containerd does not start:\n${said()}`);
}

export async function startContainerd(): Promise<Containerd> {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-containerd-'));
  for (const each of ['cni/bin', 'cni/conf', 'logs']) mkdirSync(join(folder, each), { recursive: true });
  const config = join(folder, 'config.toml');
  writeFileSync(config, configOf(folder));
  const socketPath = join(folder, 'containerd.sock');
  // In a namespace whose mounts are shared, as systemd makes those of a machine: HostToContainer asks for that.
  const own = ['--mount', '--propagation=shared'];
  const daemon = spawn('unshare', [...own, 'containerd', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  daemon.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await untilThere(daemon, socketPath, () => said);
  const importArchive = (archive: string): void => {
    execFileSync('ctr', ['--address', socketPath, '--namespace', 'k8s.io', 'images', 'import', archive], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  };
  const pause = join(folder, 'pause.tar');
  writeFileSync(pause, await pauseArchive());
  importArchive(pause);
  return {
    folder,
    socketPath,
    import: importArchive,
    runPod: () => runPod(socketPath, join(folder, 'logs')),
    async stop() {
      const ended = once(daemon, 'exit');
      daemon.kill();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
