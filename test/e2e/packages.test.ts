// What people install: packages in a Debian root with its own systemd, beside Debian's node_exporter and in its place.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { hashSync } from 'bcryptjs';
import type { Comparison } from '../../src/cli/comparison.ts';
import { packagesOf } from '../../tools/package.ts';
import { manifest } from '../../tools/package_files.ts';
import { lacksPackages, loudly, notRoot } from '../helpers/debian.ts';
import { type DebianRoot, debianRoot } from '../helpers/debian_root.ts';
import { KEYHOLE } from '../helpers/exporter.ts';
import { newestPeers } from '../helpers/peer.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const TOOLS = ['debootstrap', 'iproute2', 'rpm', 'cpio', 'mandoc', 'zsh', 'fish', 'util-linux', 'libcap2-bin'];
const peers = newestPeers();
const nodeExporter = 'lacks' in peers ? '' : peers.nodeExporter;
const skip = loudly(
  notRoot() ||
    ('lacks' in peers && peers.lacks) ||
    lacksPackages(...TOOLS) ||
    (KEYHOLE.length > 1 ? 'packages: npm run build first' : false),
);

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');
const output = (command: string, ...args: string[]): string => {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.equal(status, 0, `${command} ${args.join(' ')}: ${stdout}${stderr}`);
  return `${stdout}${stderr}`;
};

/** Families of node_exporter 1.5 that it has given up since. */
const DROPPED = ['Balloon', 'FileHugePages', 'FilePmdMapped', 'Hugetlb', 'KReclaimable', 'SecPageTables'].map(
  (field) => `node_memory_${field}_bytes`,
);

/** The loss that docs/from-node-exporter.md explains: a value that is put right. */
const isExplained = (series: string): boolean => /^node_disk_info\{.*rotational="0"/.test(series);

describe('packages', { skip, timeout: 900_000, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-packages-'));
  let [deb, rpm, tarball] = ['', '', ''];
  before(async () => {
    [deb, rpm, tarball] = (await packagesOf('x64', KEYHOLE[0] as string, folder)) as [string, string, string];
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('another time, place and umask give the same bytes, for both architectures', () => {
    // Small stand-ins for the executable: what depends on the surroundings would show in them too.
    const executable = join(folder, 'stand-in');
    writeFileSync(executable, 'an executable');
    const build = (umask: string, zone: string, cwd: string): string[] => {
      const out = join(folder, `built-${umask}`);
      const code = `const { packagesOf } = await import('${ROOT}tools/package.ts');
        for (const arch of ['x64', 'arm64']) for (const path of await packagesOf(arch, '${executable}', '${out}')) console.log(path);`;
      const text = execFileSync(
        'sh',
        [
          '-c',
          `umask ${umask} && exec "$0" --disable-warning=ExperimentalWarning --input-type=module -e "$1"`,
          process.execPath,
          code,
        ],
        { cwd, encoding: 'utf8', env: { ...process.env, TZ: zone } },
      );
      return text.trim().split('\n');
    };
    const [first, second] = [build('022', 'UTC', '/'), build('077', 'Asia/Kathmandu', folder)];
    assert.equal(first.length, 6);
    assert.deepEqual(first.map(sha256), second.map(sha256));
    assert.deepEqual(
      first.map((path) => basename(path)),
      [
        `keyhole_${manifest.version}_amd64.deb`,
        `keyhole-${manifest.version}-1.x86_64.rpm`,
        `keyhole-${manifest.version}-linux-amd64.tar.gz`,
        `keyhole_${manifest.version}_arm64.deb`,
        `keyhole-${manifest.version}-1.aarch64.rpm`,
        `keyhole-${manifest.version}-linux-arm64.tar.gz`,
      ],
    );
    assert.match(output('dpkg-deb', '-f', first[3] as string), /^Architecture: arm64$/m);
    assert.match(output('rpm', '-qp', '--qf', '%{ARCH}', first[4] as string), /aarch64$/);
  });

  test('the .deb is laid out as dpkg-deb does it, with changelogs in Debian’s places', () => {
    for (const option of ['--fsys-tarfile', '--ctrl-tarfile']) {
      const archive = join(folder, 'part.tar');
      writeFileSync(archive, spawnSync('dpkg-deb', [option, deb], { maxBuffer: 1 << 28 }).stdout);
      assert.equal(output('tar', '-tf', archive).split('\n')[0], './', option);
    }
    const at = join(folder, 'deb-root');
    output('dpkg-deb', '-x', deb, at);
    const doc = join(at, 'usr/share/doc/keyhole');
    // deb-changelog(5)
    assert.match(
      output('gzip', '-dc', join(doc, 'changelog.Debian.gz')),
      new RegExp(
        `^keyhole \\(${manifest.version}\\) unstable; urgency=medium\n\n  \\* .*\n\n -- .* <.*>  \\w{3}, \\d\\d .* \\+0000\n$`,
      ),
    );
    assert.equal(output('gzip', '-dc', join(doc, 'changelog.gz')), readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'));
    assert.match(readFileSync(join(doc, 'copyright'), 'utf8'), /THIRD_PARTY_LICENSES has .*Apache License/s);
  });

  test('rpm takes the .rpm, puts it where Debian’s tools see it, verifies and removes it', () => {
    const checks = output('rpm', '-Kv', rpm);
    assert.equal(checks.match(/: OK$/gm)?.length, 4, checks);
    const root = join(folder, 'rpm-root');
    for (const each of ['bin', 'lib', 'lib64', 'usr', 'etc']) mkdirSync(join(root, each), { recursive: true });
    const at = ['--root', root, '--nodeps', '--noscripts', '--dbpath', '/var/lib/rpm'];
    output('rpm', '-i', ...at, rpm);
    assert.equal(sha256(join(root, 'usr/bin/keyhole')), sha256(KEYHOLE[0] as string));
    assert.match(output(join(root, 'usr/bin/keyhole'), '--version'), /^keyhole, version/);
    assert.equal(output('rpm', '-V', ...at.slice(0, 4), '--dbpath', '/var/lib/rpm', 'keyhole'), '');
    writeFileSync(join(root, 'etc/default/keyhole'), 'ARGS=--no-collector.perf\n');
    assert.match(
      spawnSync('rpm', ['-V', ...at.slice(0, 4), '--dbpath', '/var/lib/rpm', 'keyhole'], { encoding: 'utf8' }).stdout,
      /^S.5.*c \/etc\/default\/keyhole$/m,
    );
    output('rpm', '-e', ...at, 'keyhole');
    assert.ok(!existsSync(join(root, 'usr/bin/keyhole')));
    // What the administrator changed is kept under another name.
    assert.ok(existsSync(join(root, 'etc/default/keyhole.rpmsave')));
    for (const [, script = ''] of output('rpm', '-qp', '--scripts', rpm).matchAll(
      /scriptlet \(using \/bin\/sh\):\n(.*?)(?=\n\w+ scriptlet|$)/gs,
    ))
      assert.equal(spawnSync('sh', ['-n'], { input: script }).status, 0, script);
  });

  test('the tarball, unpacked, is installed', () => {
    const prefix = join(folder, 'usr-local');
    mkdirSync(prefix);
    output('tar', '-xzf', tarball, '--strip-components=1', '-C', prefix);
    assert.match(output(join(prefix, 'bin/keyhole'), '--version'), /^keyhole, version/);
    assert.match(
      readFileSync(join(prefix, 'lib/systemd/system/keyhole.service'), 'utf8'),
      /^ExecStart=\/usr\/local\/bin\/keyhole /m,
    );
    const page = output('gzip', '-dc', join(prefix, 'share/man/man1/keyhole.1.gz'));
    const lint = spawnSync('mandoc', ['-T', 'lint', '-W', 'error'], { input: page, encoding: 'utf8' });
    assert.deepEqual([lint.status, lint.stdout], [0, '']);
  });

  test('shells complete flags', () => {
    const share = join(folder, 'usr-local/share');
    const env = { ...process.env, HOME: folder, PATH: `${join(folder, 'usr-local/bin')}:${process.env['PATH']}` };
    const answer = (shell: string, script: string): string[] =>
      execFileSync(shell, ['-c', script], { encoding: 'utf8', env, cwd: folder })
        .trim()
        .split('\n')
        .map((line) => line.split('\t')[0] as string)
        .sort();
    const wanted = ['--collector.rapl', '--collector.rapl.enable-zone-label'];
    const bash = `. ${share}/bash-completion/completions/keyhole; COMP_WORDS=(keyhole --log.level=info --collector.ra); COMP_CWORD=2
      _keyhole_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const fish = `source ${share}/fish/vendor_completions.d/keyhole.fish; complete -C 'keyhole --log.level=info --collector.ra'`;
    // The completion system of zsh needs a terminal: here is its last step alone, with the words it would set.
    const zsh = `compadd() { print -l -- "\${(@)found}" }; compdef() { :; }; . ${share}/zsh/site-functions/_keyhole
      words=(keyhole --log.level=info --collector.ra); CURRENT=3; _keyhole`;
    for (const [shell, script] of [
      ['bash', bash],
      ['fish', fish],
      ['zsh', zsh],
    ] as const)
      assert.deepEqual(answer(shell, script), wanted, shell);
  });

  describe('in a Debian root', () => {
    let root: DebianRoot;
    const curl = 'curl -sf --cacert /etc/prometheus/server.crt -u prometheus:secret https://localhost:9100/metrics';
    const compare = (before: string): { status: number | null; comparison: Comparison } => {
      const { status, out } = root.run(
        `NODE_EXTRA_CA_CERTS=/etc/prometheus/server.crt keyhole compare --json ${before} https://prometheus:secret@localhost:9100`,
      );
      assert.match(out, /^\{/);
      return { status, comparison: JSON.parse(out) as Comparison };
    };

    before(async () => {
      const own = ['prometheus-node-exporter', 'libatomic1', 'libcap2-bin', 'ca-certificates', 'curl', 'openssl'];
      root = await debianRoot(own);
      const write = (path: string, text: string): void => writeFileSync(join(root.path, path), text);
      root.must(`mkdir -p /etc/prometheus && cd /etc/prometheus &&
        openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -subj /CN=localhost \
          -addext subjectAltName=DNS:localhost && chown root:prometheus server.key && chmod 640 server.key`);
      write(
        'etc/prometheus/web.yml',
        `tls_server_config: { cert_file: server.crt, key_file: server.key }\nbasic_auth_users: { prometheus: '${hashSync('secret', 4)}' }\n`,
      );
      root.must('chown root:prometheus /etc/prometheus/web.yml && chmod 640 /etc/prometheus/web.yml');
      write(
        'etc/default/prometheus-node-exporter',
        'ARGS="--web.config.file=/etc/prometheus/web.yml --no-collector.ipvs"\n',
      );
      write(
        'var/lib/prometheus/node-exporter/backup.prom',
        '# TYPE backup_last_success_seconds gauge\nbackup_last_success_seconds 1.7e9\n',
      );
      root.must('systemctl restart prometheus-node-exporter');
      await root.until(`${curl} >/root/before-1.5.prom`);
      root.must('systemctl stop prometheus-node-exporter');
      copyFileSync(nodeExporter, join(root.path, 'usr/bin/prometheus-node-exporter'));
      root.must('systemctl start prometheus-node-exporter');
      copyFileSync(deb, join(root.path, 'root', basename(deb)));
    });
    after(() => root?.end());

    test('installed beside Debian’s exporter it stays out of its way, and says how to take over', async () => {
      await root.until(`${curl} >/root/before.prom`);
      const said = root.must(`cd /root && apt install ./${basename(deb)} 2>&1`).replaceAll('\r', '');
      assert.match(
        said,
        /systemctl disable --now prometheus-node-exporter\.service\n +systemctl enable --now keyhole\.service/,
      );
      assert.equal(root.run('systemctl is-enabled keyhole').out, 'disabled\n');
      assert.equal(root.run('systemctl is-active keyhole').out, 'inactive\n');
      assert.equal(root.must('systemctl is-active prometheus-node-exporter'), 'active\n');
      assert.match(root.must('getcap /usr/bin/keyhole'), /cap_perfmon=p$/m);
      assert.equal(root.must('dpkg -V keyhole'), '');
    });

    test('it takes over TLS, password, flags and text files, and nothing is lost', async (t) => {
      const start = Date.now();
      root.must('systemctl disable --now prometheus-node-exporter.service && systemctl enable --now keyhole.service');
      await root.until(`${curl} >/root/after.prom`);
      t.diagnostic(`taken over in ${Date.now() - start} ms`);
      const { status, comparison } = compare('/root/before.prom');
      for (const { series, first, second } of comparison.values) t.diagnostic(`${series}: ${first}, now ${second}`);
      const lost = comparison.lost.series.filter((series) => !isExplained(series));
      assert.deepEqual({ ...comparison.lost, series: lost }, { families: [], types: [], series: [] });
      assert.equal(status, comparison.lost.series.length === 0 ? 0 : 1);
      assert.ok(comparison.first.series > 200, `${comparison.first.series}`);
      const after = readFileSync(join(root.path, 'root/after.prom'), 'utf8');
      assert.match(after, /^backup_last_success_seconds 1\.7e\+09$/m);
      assert.doesNotMatch(after, /collector="ipvs"/);
      assert.equal(root.run(curl.replace(':secret', ':wrong')).status, 22);
    });

    test('from the node_exporter of Debian 12 only that is lost which newer ones have not either', () => {
      const { comparison } = compare('/root/before-1.5.prom');
      const { families, types, series } = comparison.lost;
      const names = families.map(({ name }) => name).filter((name) => !DROPPED.includes(name));
      const lost = series.filter((each) => !isExplained(each) && !/device="z?ram\d+"/.test(each));
      assert.deepEqual({ names, types, lost }, { names: [], types: [], lost: [] });
    });

    test('under a user of its own, sealed, with counters', () => {
      const metrics = root.must(curl);
      assert.match(metrics, /^keyhole_privilege_info\{mode="sealed",.*stage="sealed"/m);
      assert.match(metrics, /^node_perf_available\{kind="software"\} 1$/m);
      const status = root.must('cat /proc/$(systemctl show -P MainPID keyhole)/status');
      const id = (command: string): string => root.must(command).trim();
      assert.match(status, new RegExp(`^Uid:\\t${id('id -u keyhole')}\\t`, 'm'));
      assert.match(status, new RegExp(`^Groups:\\t.*\\b${id('getent group prometheus | cut -d: -f3')}\\b`, 'm'));
    });

    test('the way back is one that a reboot keeps, and so is the way there', async () => {
      const states = (): string => root.run('systemctl is-enabled keyhole prometheus-node-exporter').out;
      root.must('systemctl disable --now keyhole.service && systemctl enable --now prometheus-node-exporter.service');
      assert.equal(states(), 'disabled\nenabled\n');
      await root.until(`${curl} | grep ^go_info`);
      root.must('systemctl disable --now prometheus-node-exporter.service && systemctl enable --now keyhole.service');
      assert.equal(states(), 'enabled\ndisabled\n');
      await root.until(`${curl} | grep ^keyhole_`);
      // Why the page advises to leave Debian's package installed.
      assert.match(
        root.must('apt-cache depends prometheus-node-exporter-collectors'),
        /^ +Depends: prometheus-node-exporter$/m,
      );
    });

    test('starting the other one ends it, and the other way round', async () => {
      root.must('systemctl start prometheus-node-exporter.service');
      assert.equal(root.run('systemctl is-active keyhole').out, 'inactive\n');
      root.must('systemctl start keyhole');
      assert.equal(root.run('systemctl is-active prometheus-node-exporter').out, 'inactive\n');
      await root.until(curl);
    });

    test('its own default file goes before Debian’s', async () => {
      root.must(`echo 'ARGS="--web.config.file=/etc/prometheus/web.yml --collector.textfile.directory=/root/none"' >/etc/default/keyhole
        systemctl restart keyhole`);
      await root.until(`${curl} | grep 'collector="ipvs"'`);
      assert.doesNotMatch(root.must(curl), /^backup_last/m);
      assert.match(root.must('journalctl -u keyhole'), /no text files: the folder cannot be read.*file=\/root\/none/);
    });

    test('with the socket it serves what systemd hands over, without the network, and warns of an address', async () => {
      root.must(`mkdir -p /etc/systemd/system/keyhole.service.d /etc/systemd/system/keyhole.socket.d
        cp /usr/share/doc/keyhole/socket-only.conf /etc/systemd/system/keyhole.service.d/
        printf '[Socket]\\nListenStream=\\nListenStream=127.0.0.1:9111\\n' >/etc/systemd/system/keyhole.socket.d/port.conf
        echo 'ARGS="--web.listen-address=:9112"' >/etc/default/keyhole
        systemctl daemon-reload && systemctl stop keyhole.service
        systemctl enable --now keyhole.socket keyhole.service`);
      await root.until('curl -sf http://127.0.0.1:9111/metrics | grep -q ^node_load1');
      assert.notEqual(root.run('curl -sf http://127.0.0.1:9112/metrics').status, 0);
      assert.match(root.must('journalctl -u keyhole'), /--web\.listen-address has no effect/);
      root.must(`rm -r /etc/systemd/system/keyhole.service.d /etc/systemd/system/keyhole.socket.d
        systemctl disable --now keyhole.socket && systemctl stop keyhole.service
        systemctl daemon-reload && systemctl enable --now keyhole.service`);
    });

    test('an upgrade keeps the configuration and starts the new one', async () => {
      const before = root.must('systemctl show -P MainPID keyhole');
      root.must(
        `dpkg-deb -R /root/${basename(deb)} /root/next && sed -i "s/^Version: .*/Version: 99.0.0/" /root/next/DEBIAN/control`,
      );
      root.must('dpkg-deb -Znone -b /root/next /root/next.deb >/dev/null && dpkg -i --force-confold /root/next.deb');
      assert.equal(root.must("dpkg-query -W -f '${Version}' keyhole"), '99.0.0');
      assert.match(root.must('cat /etc/default/keyhole'), /9112/);
      await root.until('curl -sf http://127.0.0.1:9112/metrics >/root/upgraded.prom');
      assert.notEqual(root.must('systemctl show -P MainPID keyhole'), before);
      assert.match(root.must('getcap /usr/bin/keyhole'), /cap_perfmon=p$/m);
    });

    test('removed and installed again, it serves again, unless policy-rc.d or the other exporter is in the way', async () => {
      const metrics = 'curl -sf http://127.0.0.1:9112/metrics';
      const again = (): string => root.must(`dpkg -i --force-confold /root/${basename(deb)} 2>&1`);
      const remove = (): string => root.must('apt remove -y keyhole && ! systemctl is-active keyhole');
      remove();
      again();
      await root.until(`${metrics} | grep ^keyhole_`);
      remove();
      root.must("printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d");
      again();
      assert.equal(root.run('systemctl is-active keyhole').out, 'inactive\n');
      root.must('rm /usr/sbin/policy-rc.d');
      remove();
      root.must('systemctl start prometheus-node-exporter');
      assert.match(again(), /not started, since prometheus-node-exporter\.service is running and holds port 9100/);
      assert.equal(root.must('systemctl is-active prometheus-node-exporter'), 'active\n');
      root.must('systemctl start keyhole');
    });

    test('purged, nothing of it is left, and Debian’s exporter serves again', async () => {
      root.must('dpkg -P keyhole');
      assert.equal(
        root.must('find / -xdev -iname "*keyhole*" -not -path "/root/*" -not -path "/var/log/*" -not -path "/proc/*"'),
        '',
      );
      root.must('systemctl enable --now prometheus-node-exporter');
      await root.until(curl);
      assert.match(root.must(curl), /^backup_last_success_seconds/m);
    });

    test('beside upstream’s unit it says where the flags are', () => {
      root.must(`systemctl disable --now prometheus-node-exporter
        printf '[Service]\\nExecStart=/usr/bin/prometheus-node-exporter --no-collector.ipvs\\n[Install]\\nWantedBy=multi-user.target\\n' \
          >/etc/systemd/system/node_exporter.service
        systemctl daemon-reload && systemctl enable --now node_exporter`);
      const said = root.must(`dpkg -i /root/${basename(deb)} 2>&1`);
      assert.match(
        said,
        /its unit \(systemctl cat node_exporter\.service\)\.\nCopy them into ARGS of \/etc\/default\/keyhole\./,
      );
      assert.doesNotMatch(said, /with its flags/);
      assert.equal(root.must('systemctl is-active node_exporter'), 'active\n');
      root.must(
        'dpkg -P keyhole && systemctl disable --now node_exporter && rm /etc/systemd/system/node_exporter.service',
      );
    });

    test('where nothing holds the port, it starts by itself', async () => {
      root.must('apt remove -y prometheus-node-exporter');
      root.must(`dpkg -P prometheus-node-exporter && rm -rf /etc/default/keyhole && dpkg -i /root/${basename(deb)}`);
      assert.equal(root.must('systemctl is-enabled keyhole'), 'enabled\n');
      await root.until('curl -sf http://localhost:9100/metrics | grep -q ^node_load1');
    });

    test('the scripts of the .rpm do the same, but for the start', async () => {
      root.must('dpkg -P keyhole && userdel keyhole && userdel prometheus && ! getent group prometheus');
      // As Fedora's and EPEL's package of node_exporter has it: the same file and the same variable as Debian's.
      root.must(`echo 'ARGS="--web.listen-address=:9113"' >/etc/default/prometheus-node-exporter`);
      const at = ['--root', root.path, '--nodeps', '--dbpath', '/var/lib/rpm'];
      assert.match(output('rpm', '-i', ...at, rpm), /^To start Keyhole: systemctl enable --now keyhole\.service/m);
      root.must('getent group prometheus && getent passwd keyhole');
      assert.match(root.must('getcap /usr/bin/keyhole'), /cap_perfmon=p$/m);
      root.must('systemctl daemon-reload && systemctl start keyhole');
      await root.until('curl -sf http://localhost:9113/metrics | grep -q ^node_load1');
      output('rpm', '-U', '--force', ...at, rpm);
      assert.match(root.must('getcap /usr/bin/keyhole'), /cap_perfmon=p$/m);
      output('rpm', '-e', ...at, 'keyhole');
      assert.equal(root.must('find /usr /etc -name "*keyhole*"'), '');
    });
  });
});
