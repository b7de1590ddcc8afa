// The manifests, held against Kubernetes' own schemas and against Keyhole's own flags.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { declare, parseCommandLine } from '../../src/cli/command_line.ts';
import { programFlags } from '../../src/cli/flags.ts';
import { collectors } from '../../src/collectors/index.ts';
import { loadPatterns } from '../../src/core/pattern.ts';
import { parseAddress } from '../../src/server/address.ts';
import { chartArgs } from '../helpers/container/image.ts';
import { loudly } from '../helpers/debian.ts';
import { build, type Manifest } from '../helpers/kustomize.ts';

await loadPatterns();

const DEPLOY = new URL('../../deploy/', import.meta.url).pathname;
const KUSTOMIZATIONS = [
  'base',
  'overlays/gke',
  'overlays/openshift',
  'overlays/podmonitor',
  'overlays/prometheus-stack',
  'overlays/without-perf',
] as const;

const SCHEMAS = ['kubernetes-models@5.1.0', '@kubernetes-models/prometheus-operator@6.0.0'];
const folder = mkdtempSync(join(tmpdir(), 'keyhole-schemas-'));
after(() => rmSync(folder, { recursive: true, force: true }));

function lacksSchemas(): string | false {
  writeFileSync(join(folder, 'package.json'), '{"private":true}');
  const { status, stderr, error } = spawnSync('npm', ['install', '--silent', '--ignore-scripts', ...SCHEMAS], {
    cwd: folder,
    encoding: 'utf8',
  });
  return status === 0 ? false : `npm cannot install ${SCHEMAS.join(' ')}: ${error?.message ?? stderr.split('\n')[0]}`;
}
const noSchemas = loudly(lacksSchemas());
const noKubectl = loudly(
  spawnSync('kubectl', ['kustomize', '--help']).status === 0 ? false : 'kubectl: no second opinion on the overlays',
);

type Model = new (manifest: Manifest) => { validate(): void };

/** The class of a kind, or nothing where no schema is known: OpenShift's own. */
async function modelOf({ apiVersion, kind }: Manifest): Promise<Model | undefined> {
  if (apiVersion.startsWith('security.openshift.io/')) return undefined;
  const from = apiVersion.startsWith('monitoring.coreos.com/')
    ? '@kubernetes-models/prometheus-operator'
    : 'kubernetes-models';
  const file = join(folder, 'node_modules', from, apiVersion, `${kind}.js`);
  return ((await import(pathToFileURL(file).href)) as Record<string, Model>)[kind];
}

interface Container {
  readonly args: string[];
  readonly securityContext: Record<string, unknown> & { capabilities: { add?: string[]; drop: string[] } };
}
interface DaemonSet extends Manifest {
  readonly spec: { readonly template: { readonly spec: { containers: [Container]; securityContext: unknown } } };
}

const containerOf = (manifests: readonly Manifest[]): Container =>
  (manifests.find(({ kind }) => kind === 'DaemonSet') as DaemonSet).spec.template.spec.containers[0];

/** Throws for what is no flag, or no value of it. `$(HOST_IP)` is what the kubelet makes of it. */
function parseArguments(args: readonly string[], hostIp = '10.0.0.1'): void {
  const argv = args.map((arg) => arg.replace('$(HOST_IP)', hostIp));
  const parsed = parseCommandLine({ program: 'keyhole', argv, env: {} }, declare(collectors));
  for (const address of parsed.valueOf(programFlags.listenAddress)) parseAddress(address);
}

for (const name of KUSTOMIZATIONS) {
  describe(`deploy/kubernetes/${name}`, () => {
    let manifests: Manifest[];
    before(() => {
      manifests = build(join(DEPLOY, 'kubernetes', name));
    });

    test("validates against Kubernetes' schemas", { skip: noSchemas }, async () => {
      let validated = 0;
      for (const manifest of manifests) {
        const Model = await modelOf(manifest);
        if (Model === undefined) continue;
        new Model(manifest).validate();
        validated += 1;
      }
      assert.ok(validated >= 5, `${validated}`);
    });

    test('the schemas find what is wrong', { skip: noSchemas }, async () => {
      const daemonSet = manifests.find(({ kind }) => kind === 'DaemonSet') as Manifest;
      const Model = (await modelOf(daemonSet)) as Model;
      const wrong = structuredClone(daemonSet) as unknown as DaemonSet;
      Object.assign(wrong.spec.template.spec.containers[0], { args: 'text', securityContex: {} });
      assert.throws(() => new Model(wrong).validate());
    });

    test('kubectl builds the same', { skip: noKubectl }, () => {
      const text = execFileSync('kubectl', ['kustomize', join(DEPLOY, 'kubernetes', name)], { encoding: 'utf8' });
      const byName = (list: readonly Manifest[]): Record<string, Manifest> =>
        Object.fromEntries(list.map((each) => [`${each.kind}/${each.metadata.name}`, each]));
      const theirs = text.split(/^---$/m).map((each) => parse(each) as Manifest);
      assert.deepEqual(byName(manifests), byName(theirs));
    });

    test('every argument is a flag', () => {
      const { args } = containerOf(manifests);
      for (const hostIp of ['10.0.0.1', 'fd00::1']) parseArguments(args, hostIp);
      assert.equal(args.includes('--collector.perf'), name !== 'overlays/without-perf');
    });

    test('nobody, read-only, and at most PERFMON', () => {
      const { securityContext } = containerOf(manifests);
      const { capabilities, ...rest } = securityContext;
      assert.deepEqual(rest, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, privileged: false });
      assert.deepEqual(capabilities.drop, ['ALL']);
      assert.deepEqual(capabilities.add ?? [], name === 'overlays/without-perf' ? [] : ['PERFMON']);
      const daemonSet = manifests.find(({ kind }) => kind === 'DaemonSet') as DaemonSet;
      assert.deepEqual(daemonSet.spec.template.spec.securityContext, {
        runAsNonRoot: true,
        runAsUser: 65534,
        runAsGroup: 65534,
        fsGroup: 65534,
        seccompProfile: { type: 'RuntimeDefault' },
      });
    });
  });
}

const named = (name: string, kind: string): Manifest[] =>
  build(join(DEPLOY, 'kubernetes', name)).filter((each) => each.kind === kind);

const ofOperator = ({ apiVersion }: Manifest): boolean => apiVersion.startsWith('monitoring.coreos.com/');
const releases = (manifests: readonly Manifest[]): Record<string, string | undefined> =>
  Object.fromEntries(
    manifests
      .filter(ofOperator)
      .map(({ kind, metadata }) => [`${kind}/${metadata.name}`, metadata.labels?.['release']]),
  );

test('with the stack, what the operator selects has the label of its release', () => {
  const release = 'kube-prometheus-stack';
  assert.deepEqual(releases(build(join(DEPLOY, 'kubernetes/overlays/prometheus-stack'))), {
    'ServiceMonitor/keyhole': release,
    'PrometheusRule/keyhole': release,
  });
  // The two choices that the pages name.
  const copy = join(folder, 'deploy');
  cpSync(DEPLOY, copy, { recursive: true });
  const edit = (path: string, from: string, to: string): void => {
    const text = readFileSync(join(copy, path), 'utf8');
    assert.ok(text.includes(from), path);
    writeFileSync(join(copy, path), text.replace(from, to));
  };
  edit('kubernetes/overlays/prometheus-stack/kustomization.yaml', '  - ../../base', '  - ../podmonitor');
  edit(
    'kubernetes/monitoring/kustomization.yaml',
    '  - prometheusrule.yaml',
    '  - prometheusrule.yaml\n  - prometheusrule-node.yaml',
  );
  const chosen = join(copy, 'kubernetes/overlays/prometheus-stack');
  const expected = {
    'PodMonitor/keyhole': release,
    'PrometheusRule/keyhole': release,
    'PrometheusRule/keyhole-node': release,
  };
  assert.deepEqual(releases(build(chosen)), expected);
  if (noKubectl !== false) return;
  const text = execFileSync('kubectl', ['kustomize', chosen], { encoding: 'utf8' });
  assert.deepEqual(releases(text.split(/^---$/m).map((each) => parse(each) as Manifest)), expected);
});

test('pods are scraped by one monitor, and both kinds ask for the same', () => {
  const [service] = named('base', 'ServiceMonitor') as unknown as { spec: { endpoints: unknown; selector: unknown } }[];
  const [pod] = named('overlays/podmonitor', 'PodMonitor') as unknown as {
    spec: { podMetricsEndpoints: unknown; selector: unknown };
  }[];
  assert.deepEqual(pod?.spec.podMetricsEndpoints, service?.spec.endpoints);
  assert.deepEqual(pod?.spec.selector, service?.spec.selector);
  assert.deepEqual([...named('overlays/podmonitor', 'ServiceMonitor'), ...named('overlays/podmonitor', 'Service')], []);
});

test('the dashboards fit into a ConfigMap, and into the annotation that kubectl apply makes of it', () => {
  const [config] = named('monitoring', 'ConfigMap');
  assert.deepEqual(Object.keys(config?.['data'] ?? {}), ['keyhole-node.json', 'keyhole-perf.json']);
  assert.ok(JSON.stringify(config).length < 250_000);
});

test('values for the community chart: its own arguments and ours are flags, none is given twice', () => {
  const values = parse(readFileSync(join(DEPLOY, 'helm-values.yaml'), 'utf8')) as { extraArgs: string[] };
  // The chart gives the udev argument by the tag of the image: not to ours, whose version is below 1.4.
  const chart = chartArgs(9100).filter((arg) => !arg.startsWith('--path.udev.data'));
  parseArguments([...chart, ...values.extraArgs]);
});

test("the chart's arguments in all their forms, and kube-prometheus' own", () => {
  for (const host of ['0.0.0.0', '::', '127.0.0.1']) parseArguments(chartArgs(9100, host));
  parseArguments([
    '--web.listen-address=127.0.0.1:9100',
    '--path.sysfs=/host/sys',
    '--path.rootfs=/host/root',
    '--path.procfs=/host/root/proc',
    '--path.udev.data=/host/root/run/udev/data',
    '--no-collector.wifi',
    '--no-collector.hwmon',
    '--no-collector.btrfs',
    '--collector.filesystem.mount-points-exclude=^/(dev|proc|sys|run/k3s/containerd/.+|var/lib/docker/.+|var/lib/kubelet/pods/.+)($|/)',
    '--collector.netclass.ignored-devices=^(veth.*|[a-f0-9]{15})$',
    '--collector.netdev.device-exclude=^(veth.*|[a-f0-9]{15})$',
  ]);
});
