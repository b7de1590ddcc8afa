// Who runs the commands that the pages name: test/e2e/documented.test.ts, another test, or nobody, with the reason.

/** What serves on ports 9100 and 9101 while a command runs. */
export type Scene = 'nothing' | 'two exporters' | 'TLS and a password';

export interface Run {
  readonly command: string;
  readonly scene: Scene;
  /** What it has to write. */
  readonly says: RegExp;
  /** Its status; a command that serves is ended from outside. */
  readonly status: number | 'serves';
}

const run = (scene: Scene, command: string, says: RegExp, status: Run['status'] = 0): Run => ({
  scene,
  command,
  says,
  status,
});
const LISTENS = /msg="Listening on" address=\S*:9100/;

/** In this order, as root, in a machine that the commands have for themselves. */
export const RUNS: readonly Run[] = [
  run('nothing', 'install -m 755 dist/keyhole /usr/local/bin/keyhole', /^$/),
  run('nothing', 'setcap cap_perfmon=p /usr/local/bin/keyhole', /^$/),
  run('nothing', 'getcap /usr/local/bin/keyhole', /^\/usr\/local\/bin\/keyhole cap_perfmon=p$/),
  run('nothing', 'npm start', LISTENS, 'serves'),
  run('nothing', 'npm start -- --log.level=debug', LISTENS, 'serves'),
  run('nothing', 'npm start -- --collector.perf', LISTENS, 'serves'),
  run('nothing', 'npm start -- --help', /^usage: keyhole \[flags\]/m),
  run('nothing', 'node_modules/.bin/node src/main.ts', LISTENS, 'serves'),
  run(
    'nothing',
    'strace -f -e trace=perf_event_open,capset,prctl,execve keyhole --collector.perf',
    /perf_event_open\(.*PR_SET_NO_NEW_PRIVS.*execve\("\/proc\/self\/exe"/s,
    'serves',
  ),
  run('nothing', 'keyhole --version', /^keyhole, version \d/),
  run('nothing', 'install -D -m 644 -t /etc/prometheus/rules deploy/prometheus/*.yml', /^$/),
  run('two exporters', 'curl -s http://localhost:9100/metrics >before.prom', /^$/),
  run('two exporters', 'curl -s localhost:9100/metrics >before.prom', /^$/),
  run('two exporters', 'curl -s localhost:9100/metrics | grep -c ^node_', /^[1-9]\d{2,}$/),
  run('two exporters', 'curl -s localhost:9100/metrics | grep ^node_perf_available', /\{kind="software"\} 1$/m),
  run('two exporters', 'keyhole compare before.prom http://localhost:9100', /^Nothing is lost\.$/m),
  run(
    'two exporters',
    'keyhole compare http://localhost:9100/metrics http://localhost:9101/metrics',
    /^Lost: .*\n(.*\n)*.*node_load1/m,
    1,
  ),
  run('two exporters', 'keyhole doctor', /^Perf counters work.*^ok +exporter +process \d+/ms),
  run('two exporters', 'keyhole explain node_load1', /^stands at +\/proc\/loadavg, line 1, column 1$/m),
  run('two exporters', 'keyhole collectors', /^loadavg +ok +3 /m),
  run('two exporters', 'keyhole events', /^Presets$/m),
  run('two exporters', 'keyhole check --web.config.file=web.yml', /^ok +web configuration +web\.yml: TLS.*1 user/m),
  run('two exporters', 'chgrp prometheus server.key && chmod 640 server.key', /^$/),
  run(
    'TLS and a password',
    'curl -s --cacert /etc/prometheus/server.crt -u name https://localhost:9100/metrics >before.prom',
    /^Enter host password for user 'name':$/,
  ),
  run(
    'TLS and a password',
    'NODE_EXTRA_CA_CERTS=/etc/prometheus/server.crt keyhole compare before.prom https://name:password@localhost:9100',
    /^Nothing is lost\.$/m,
  ),
  run(
    'TLS and a password',
    "grep -H -E 'Cap(Inh|Prm|Eff|Amb)|NoNewPrivs' /proc/$(pidof keyhole)/task/*/status",
    /^(\S+:(Cap\w+:\t0{16}|NoNewPrivs:\t1)\n?)+$/,
  ),
  run('TLS and a password', 'minisign -S -s keyhole.key -m dist/SHA256SUMS', /^$/),
  run(
    'TLS and a password',
    'minisign -V -p keyhole.pub -m SHA256SUMS && sha256sum --check --ignore-missing SHA256SUMS',
    /^Signature and comment signature verified\n(.*\n)*keyhole: OK$/,
  ),
];

/** Others run these, with the words that show it. */
const ELSEWHERE: readonly (readonly [command: RegExp, file: string, words: string])[] = [
  [/^npm (ci|test|run (check|build|conformance|test:e2e))$/, '.ci/run', 'step npm ci'],
  [/^npm run (package|release)$/, 'test/e2e/packages.test.ts', 'packagesOf('],
  [/^npm run image$/, 'test/e2e/container/image.test.ts', "'tools/image.ts'"],
  [/^npm run generate$/, 'tools/check.ts', "'tools/generate.ts', '--check'"],
  [
    /^apt install \.\/(dist\/)?keyhole_[\d.]+_amd64\.deb$/,
    'test/e2e/packages.test.ts',
    'apt install ./${basename(deb)}',
  ],
  [/^(mkdir|cp|systemctl (daemon-reload|enable|disable|start)) /, 'test/e2e/packages.test.ts', ''],
  [/^install -m 644 deploy\/systemd\//, 'test/e2e/systemd.test.ts', "'keyhole.socket'"],
  [/^systemd-analyze /, 'test/e2e/systemd.test.ts', "analyze('security'"],
  [/^(kubectl|oc) apply -k /, 'test/e2e/manifests.test.ts', 'KUSTOMIZATIONS'],
  [/^helm (install|upgrade) .* -f deploy\/helm-values\.yaml$/, 'test/e2e/manifests.test.ts', 'helm-values.yaml'],
  [/^kubectl -n keyhole exec .*keyhole doctor$/, 'test/e2e/container/cri.test.ts', "'/bin/keyhole', 'doctor'"],
  [/^journalctl -u keyhole$/, 'test/e2e/packages.test.ts', 'journalctl -u keyhole'],
  [/^setcap cap_perfmon=p /, 'test/helpers/documented.ts', 'setcap cap_perfmon=p'],
  [/^sysctl kernel\.perf_event_paranoid=[02]$/, 'test/e2e/perf_x86.test.ts', 'perf_event_paranoid'],
  [/^mount -t tracefs /, 'test/e2e/perf_x86.test.ts', 'mount -t tracefs'],
  [/^rpm -K /, 'test/e2e/packages.test.ts', "'-Kv'"],
];

/** What nobody runs here, and why. */
const NOBODY: readonly (readonly [command: RegExp, why: string])[] = [
  [
    /^npm run (bench|test:e2e|fuzz) -- |^npm run bench$|^[A-Z_0-9]+=\d+ npm run test:e2e/,
    'takes long: its words are checked',
  ],
  [/^node_modules\/\S+ --test --test-update-snapshots/, 'writes goldens'],
  [/^npm version /, 'makes a release'],
  [/^dnf |^rpm --addsign$/, 'no RHEL, no key'],
  [/^kubectl (-n monitoring port-forward|get prometheus|top)/, 'needs a cluster'],
  [/^skopeo copy --all/, 'needs a registry; the copy itself is in test/e2e/container'],
  [/^cosign /, 'needs a registry'],
  [/^systemd-run -Pq |^systemctl edit /, 'needs the machine’s own systemd and a terminal'],
  [/^strace -f$/, 'half a command'],
  [/^keyhole (opener|compare( OLD NEW)?|check|explain)$/, 'the name of a command, which is looked up'],
];

const words = (command: string): string => command.replace(/^npm ci && /, '');

/** Who runs a command: the words are a path and what it has to hold, or the reason. */
export function whoRuns(command: string): { readonly file?: string; readonly words?: string; readonly why?: string } {
  const text = words(command);
  if (RUNS.some((each) => each.command === text)) return { file: 'test/e2e/documented.test.ts', words: 'RUNS' };
  for (const [pattern, file, found] of ELSEWHERE)
    if (pattern.test(text)) return { file, words: found === '' ? text : found };
  for (const [pattern, why] of NOBODY) if (pattern.test(text)) return { why };
  return {};
}
