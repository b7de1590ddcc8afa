// The commands of the pages, run as they stand there, in namespaces of their own: ports, processes, /etc and /usr/local/bin.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { RUNS, type Scene } from '../helpers/documented.ts';
import { ROOT, read } from '../helpers/documents.ts';
import { KEYHOLE } from '../helpers/exporter.ts';

const PACKAGES = [
  'curl',
  'iproute2',
  'libcap2-bin',
  'minisign',
  'openssl',
  'procps',
  'strace',
  'sysvinit-utils',
  'util-linux',
];
const skip = loudly(
  notRoot() ||
    (KEYHOLE.length > 1 ? 'the commands of the pages: npm run build first' : false) ||
    lacksPackages(...PACKAGES),
);

/** Its flags, for each exporter that serves. */
const SERVING: Readonly<Record<Scene, readonly string[]>> = {
  nothing: [],
  'two exporters': [
    '--collector.perf --web.listen-address=:9100',
    '--no-collector.loadavg --collector.perf --web.listen-address=:9101',
  ],
  'TLS and a password': ['--web.config.file=/etc/prometheus/web.yml --web.listen-address=:9100'],
};

const untilListening = (log: string): string =>
  `until grep -q 'Listening on' ${log}; do kill -0 $! || break; sleep 0.05; done`;
const quoted = (command: string): string => `'${command.replaceAll("'", "'\\''")}'`;

/** The script of everything: what each run writes is in `<its number>.out`, its status in `<its number>.status`. */
function scriptOf(work: string, out: string): string {
  // Every job is a process group of its own (-m), and ends as a whole.
  const begin = `set -um; ip link set lo up
    cp -a /etc ${out}/etc && mount --bind ${out}/etc /etc && mount -t tmpfs tmpfs /usr/local/bin
    groupadd -f prometheus; rm -rf /etc/prometheus; mkdir /etc/prometheus; cp ${work}/server.* ${work}/web.yml /etc/prometheus`;
  const scenes = [...new Set(RUNS.map(({ scene }) => scene))].map((scene) => {
    const serving = SERVING[scene].map(
      (flags, i) => `keyhole ${flags} 2>${out}/${i}.log & ${untilListening(`${out}/${i}.log`)}`,
    );
    const runs = RUNS.map(({ command, status, scene: own }, i) => {
      if (own !== scene) return '';
      // Whoever verifies is where the downloads are.
      const folder = command.startsWith('minisign -V') ? `${work}/dist` : work;
      const at = `cd ${folder}; bash -c ${quoted(command)} >${out}/${i}.out 2>&1`;
      return status === 'serves'
        ? `(${at}) & ${untilListening(`${out}/${i}.out`)}; kill -TERM -- -$!; wait $!`
        : `echo password | (${at}); echo $? >${out}/${i}.status`;
    });
    return [...serving, ...runs, 'for job in $(jobs -p); do kill -TERM -- -$job; done; wait'].join('\n');
  });
  return [begin, ...scenes].join('\n');
}

function prepare(work: string): void {
  // The user who serves has to reach the sources.
  chmodSync(work, 0o755);
  for (const name of readdirSync(ROOT)) if (name !== 'dist') symlinkSync(join(ROOT, name), join(work, name));
  mkdirSync(join(work, 'dist'));
  symlinkSync(KEYHOLE[0] as string, join(work, 'dist/keyhole'));
  const sums = execFileSync('sha256sum', ['keyhole'], { cwd: join(work, 'dist') });
  writeFileSync(join(work, 'dist/SHA256SUMS'), sums);
  execFileSync('minisign', ['-G', '-W', '-p', 'dist/keyhole.pub', '-s', 'keyhole.key'], { cwd: work });
  const certificate = '-x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -subj /CN=localhost -addext';
  execFileSync('openssl', ['req', ...certificate.split(' '), 'subjectAltName=DNS:localhost'], {
    cwd: work,
    stdio: 'pipe',
  });
  writeFileSync(
    join(work, 'web.yml'),
    `tls_server_config: { cert_file: server.crt, key_file: server.key }\nbasic_auth_users: { name: '${hashSync('password', 4)}' }\n`,
  );
}

test('the executable is as large as the pages say', { skip }, () => {
  const { size } = statSync(KEYHOLE[0] as string);
  const isNear = (said: string | undefined, is: number): boolean => Math.abs(Number(said) - is) <= 2;
  const [, megabytes] = /The executable is (\d+) MB/.exec(read('README.md')) ?? [];
  const [, mebibytes] = /pages of the executable in use \| \d+ MiB of (\d+)/.exec(read('docs/kubernetes.md')) ?? [];
  assert.ok(isNear(megabytes, size / 1e6), `${megabytes} MB, not ${size}`);
  assert.ok(isNear(mebibytes, size / 2 ** 20), `${mebibytes} MiB, not ${size}`);
});

/** What glibc itself consists of. */
const GLIBC = /^(linux-vdso|ld-linux-[\w-]+|lib(c|m|dl|pthread))$/;

test('the executable needs the libraries that the README names', { skip }, () => {
  const needed = execFileSync('ldd', [KEYHOLE[0] as string], { encoding: 'utf8' }).matchAll(
    /^\s*(?:\S*\/)?([^\s/]+?)\.so/gm,
  );
  const others = [...needed].map(([, name = '']) => name).filter((name) => !GLIBC.test(name));
  const [, said = ''] = /needs no Node\.js [^.,]*, only glibc, (.*?)\. /.exec(read('README.md')) ?? [];
  assert.deepEqual(others.sort(), said.split(/, | and /).sort());
});

describe('the commands of the pages', { skip, timeout: 300_000 }, () => {
  const work = mkdtempSync(join(tmpdir(), 'keyhole-documented-'));
  const out = mkdtempSync(join(tmpdir(), 'keyhole-documented-out-'));
  let said = '';
  before(() => {
    prepare(work);
    const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
    const { stdout, stderr } = spawnSync('unshare', [...namespaces, 'bash', '-c', scriptOf(work, out)], {
      encoding: 'utf8',
      timeout: 240_000,
    });
    said = stdout + stderr;
  });
  after(() => {
    for (const folder of [work, out]) rmSync(folder, { recursive: true, force: true });
  });

  for (const [i, { command, scene, says, status }] of RUNS.entries())
    test(`${command} (${scene})`, () => {
      const written = readFileSync(join(out, `${i}.out`), 'utf8').trim();
      assert.match(written, says, said);
      if (status !== 'serves')
        assert.equal(Number(readFileSync(join(out, `${i}.status`), 'utf8')), status, `${written}\n${said}`);
    });
});
