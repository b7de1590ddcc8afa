// The Container Runtime Interface, as far as the kubelet needs it to run one pod. https://github.com/kubernetes/cri-api
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openChannel } from './grpc.ts';
import { decode, encode, type Field, type Fields, type Message } from './protobuf.ts';

const field = (number: number, kind: Field['kind']): Field => ({ number, kind });
const list = (number: number, kind: Field['kind']): Field => ({ number, kind, repeated: true });

// Of each message what is used here; names and numbers are those of runtime.v1.
const int64: Fields = { value: field(1, 'int') };
const namespaces: Fields = { network: field(1, 'int'), pid: field(2, 'int'), ipc: field(3, 'int') };
const profile: Fields = { profile_type: field(1, 'int') };
const podConfig: Fields = {
  metadata: field(1, {
    name: field(1, 'text'),
    uid: field(2, 'text'),
    namespace: field(3, 'text'),
    attempt: field(4, 'int'),
  }),
  log_directory: field(3, 'text'),
  linux: field(8, { security_context: field(2, { namespace_options: field(1, namespaces) }) }),
};
const security: Fields = {
  capabilities: field(1, { add_capabilities: list(1, 'text'), drop_capabilities: list(2, 'text') }),
  namespace_options: field(3, namespaces),
  run_as_user: field(5, int64),
  readonly_rootfs: field(7, 'bool'),
  no_new_privs: field(11, 'bool'),
  run_as_group: field(12, int64),
  masked_paths: list(13, 'text'),
  readonly_paths: list(14, 'text'),
  seccomp: field(15, profile),
};
const containerConfig: Fields = {
  metadata: field(1, { name: field(1, 'text'), attempt: field(2, 'int') }),
  image: field(2, { image: field(1, 'text') }),
  args: list(4, 'text'),
  envs: list(6, { key: field(1, 'text'), value: field(2, 'text') }),
  mounts: list(7, {
    container_path: field(1, 'text'),
    host_path: field(2, 'text'),
    readonly: field(3, 'bool'),
    propagation: field(5, 'int'),
  }),
  log_path: field(11, 'text'),
  linux: field(15, {
    resources: field(1, { memory_limit_in_bytes: field(4, 'int') }),
    security_context: field(2, security),
  }),
};
const podId: Fields = { pod_sandbox_id: field(1, 'text') };
const containerId: Fields = { container_id: field(1, 'text') };
const nothing: Fields = {};

const METHODS = {
  Version: [{ version: field(1, 'text') }, { runtime_name: field(2, 'text'), runtime_version: field(3, 'text') }],
  RunPodSandbox: [{ config: field(1, podConfig) }, podId],
  StopPodSandbox: [podId, nothing],
  RemovePodSandbox: [podId, nothing],
  CreateContainer: [
    { pod_sandbox_id: field(1, 'text'), config: field(2, containerConfig), sandbox_config: field(3, podConfig) },
    containerId,
  ],
  StartContainer: [containerId, nothing],
  StopContainer: [{ container_id: field(1, 'text'), timeout: field(2, 'int') }, nothing],
  RemoveContainer: [containerId, nothing],
  ContainerStatus: [
    { container_id: field(1, 'text'), verbose: field(2, 'bool') },
    {
      status: field(1, { state: field(3, 'int'), exit_code: field(7, 'int'), reason: field(10, 'text') }),
      info: field(2, 'map'),
    },
  ],
  ExecSync: [
    { container_id: field(1, 'text'), cmd: list(2, 'text'), timeout: field(3, 'int') },
    { stdout: field(1, 'bytes'), stderr: field(2, 'bytes'), exit_code: field(3, 'int') },
  ],
} as const satisfies Record<string, readonly [Fields, Fields]>;

const NETWORK_OF_NODE = 2;
const PID_OF_CONTAINER = 1;
const NAMESPACES = { network: NETWORK_OF_NODE, pid: PID_OF_CONTAINER, ipc: 0 };
const HOST_TO_CONTAINER = 1;
const RUNTIME_DEFAULT = 0;
const UNCONFINED = 1;
const RUNNING = 1;

/** A container as a manifest asks for it. */
export interface ContainerSpec {
  readonly image: string;
  readonly args: readonly string[];
  readonly uid: number;
  readonly add?: readonly string[];
  readonly drop?: readonly string[];
  /** `allowPrivilegeEscalation: false` */
  readonly noNewPrivs?: boolean;
  /** `readOnlyRootFilesystem: true` */
  readonly readOnlyRoot?: boolean;
  /** `seccompProfile: RuntimeDefault`; otherwise there is none. */
  readonly runtimeDefault?: boolean;
  /** Host folders by where they are seen, read-only. */
  readonly mounts?: Readonly<Record<string, string>>;
  readonly memoryMaxBytes?: number;
}

export interface ContainerState {
  readonly running: boolean;
  readonly exitCode: number;
  readonly reason: string;
}

export interface RunningContainer {
  /** Of its first process, as the host counts. */
  readonly pid: number;
  state(): Promise<ContainerState>;
  exec(...command: readonly string[]): Promise<{ readonly status: number; readonly out: string }>;
  log(): string;
  /** Stops and removes it; answers what it was before. */
  remove(): Promise<ContainerState>;
}

export interface Pod {
  run(spec: ContainerSpec): Promise<RunningContainer>;
  remove(): Promise<void>;
}

const securityOf = (spec: ContainerSpec): Message => ({
  capabilities: { add_capabilities: spec.add ?? [], drop_capabilities: spec.drop ?? [] },
  namespace_options: NAMESPACES,
  run_as_user: { value: spec.uid },
  run_as_group: { value: spec.uid },
  readonly_rootfs: spec.readOnlyRoot === true,
  no_new_privs: spec.noNewPrivs === true,
  masked_paths: ['/proc/kcore', '/proc/keys', '/proc/timer_list', '/sys/firmware'],
  readonly_paths: ['/proc/sys', '/proc/sysrq-trigger'],
  seccomp: { profile_type: spec.runtimeDefault === true ? RUNTIME_DEFAULT : UNCONFINED },
});

const configOf = (spec: ContainerSpec, name: string): Message => ({
  metadata: { name, attempt: 0 },
  image: { image: spec.image },
  args: spec.args,
  // What the kubelet tells every container.
  envs: [{ key: 'KUBERNETES_SERVICE_HOST', value: '10.96.0.1' }],
  mounts: Object.entries(spec.mounts ?? {}).map(([container_path, host_path]) => ({
    container_path,
    host_path,
    readonly: true,
    propagation: HOST_TO_CONTAINER,
  })),
  log_path: `${name}.log`,
  linux: {
    resources: spec.memoryMaxBytes === undefined ? {} : { memory_limit_in_bytes: spec.memoryMaxBytes },
    security_context: securityOf(spec),
  },
});

/** A pod on the host's network, as the kubelet asks a runtime for it. */
export async function runPod(socketPath: string, logs: string): Promise<Pod> {
  const channel = openChannel(socketPath);
  const call = async (method: keyof typeof METHODS, message: Message): Promise<Message> => {
    const [asked, answered] = METHODS[method];
    return decode(answered, await channel.call(`/runtime.v1.RuntimeService/${method}`, encode(asked, message)));
  };
  const config: Message = {
    metadata: { name: 'keyhole', uid: `keyhole-${Date.now()}`, namespace: 'default', attempt: 0 },
    log_directory: logs,
    linux: { security_context: { namespace_options: NAMESPACES } },
  };
  const { pod_sandbox_id } = await call('RunPodSandbox', { config });
  let count = 0;
  return {
    async run(spec) {
      count += 1;
      const name = `c${count}`;
      const own = { container_id: '' };
      own.container_id = (
        await call('CreateContainer', { pod_sandbox_id, config: configOf(spec, name), sandbox_config: config })
      )['container_id'] as string;
      await call('StartContainer', own);
      const ask = async (): Promise<Message> => call('ContainerStatus', { ...own, verbose: true });
      const state = async (): Promise<ContainerState> => {
        const status = (await ask())['status'] as { state?: number; exit_code?: number; reason?: string };
        return { running: status.state === RUNNING, exitCode: status.exit_code ?? 0, reason: status.reason ?? '' };
      };
      const { info } = (await ask())['info'] as { info: string };
      return {
        pid: (JSON.parse(info) as { pid: number }).pid,
        state,
        async exec(...command) {
          const { stdout, stderr, exit_code } = await call('ExecSync', { ...own, cmd: command, timeout: 30 });
          return { status: (exit_code as number | undefined) ?? 0, out: `${stdout ?? ''}${stderr ?? ''}` };
        },
        log: () => readFileSync(join(logs, `${name}.log`), 'utf8').replaceAll(/^\S+ std(out|err) [FP] /gm, ''),
        async remove() {
          const before = await state();
          await call('StopContainer', { ...own, timeout: 10 });
          await call('RemoveContainer', own);
          return before;
        },
      };
    },
    async remove() {
      await call('StopPodSandbox', { pod_sandbox_id });
      await call('RemovePodSandbox', { pod_sandbox_id });
      channel.close();
    },
  };
}
