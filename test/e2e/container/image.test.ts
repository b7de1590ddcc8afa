// The archive itself: what is in it, that tools keep the capability, and that two builds are one.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, before, describe, test } from 'node:test';
import { imageArchive, ROOT, VERSION } from '../../helpers/container/image.ts';
import {
  hasCapability,
  type ImageLayout,
  openLayout,
  unpackArchive,
  unpackLayers,
} from '../../helpers/container/layout.ts';
import { lacksPackages, loudly, notRoot } from '../../helpers/debian.ts';

/** As the README says, in MB. */
const SIZE = Number(/the image (\d+) MB compressed/.exec(readFileSync(join(ROOT, 'README.md'), 'utf8'))?.[1]);
const skip = loudly(notRoot());
const toolsSkip = loudly(notRoot() || lacksPackages('skopeo', 'umoci', 'libcap2-bin'));

describe('the archive', { skip, timeout: 600_000, concurrency: false }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-image-'));
  const rootfs = join(folder, 'rootfs');
  let archive = '';
  let layout: ImageLayout;
  before(() => {
    archive = imageArchive();
    layout = unpackArchive(archive, join(folder, 'layout'));
    unpackLayers(layout.layers(), rootfs);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('both platforms, both tags, small, with the capability', () => {
    assert.deepEqual(layout.tags, [VERSION, `${VERSION}-distroless`]);
    for (const architecture of ['amd64', 'arm64']) {
      const layers = layout.layers(architecture);
      assert.ok(hasCapability(layers), architecture);
      const sizeBytes = layers.reduce((sum, layer) => sum + statSync(layer).size, 0);
      assert.ok(Math.abs(sizeBytes / 1e6 - SIZE) <= 1, `${architecture}: ${sizeBytes} bytes`);
      const { config } = layout.config(architecture);
      assert.deepEqual(config['Entrypoint'], ['/bin/keyhole']);
      assert.equal(config['User'], '65534:65534');
      assert.deepEqual(config['ExposedPorts'], { '9100/tcp': {} });
      const labels = config['Labels'] as Record<string, string>;
      assert.equal(labels['org.opencontainers.image.version'], VERSION);
      assert.match(labels['org.opencontainers.image.revision'] ?? '', /^([0-9a-f]{40}|unknown)$/);
    }
  });

  test('the executable under both names, its libraries, certificates, nobody; no shell, no package manager', () => {
    assert.deepEqual(readdirSync(join(rootfs, 'bin')).sort(), ['keyhole', 'node_exporter']);
    assert.equal(statSync(join(rootfs, 'bin/node_exporter')).ino, statSync(join(rootfs, 'bin/keyhole')).ino);
    assert.match(readFileSync(join(rootfs, 'etc/passwd'), 'utf8'), /^nobody:x:65534:65534:/m);
    assert.match(readFileSync(join(rootfs, 'etc/group'), 'utf8'), /:65534:/);
    for (const name of ['keyhole/LICENSE', 'keyhole/THIRD_PARTY_LICENSES', 'libc6/copyright', 'libstdc++6/copyright'])
      assert.ok(statSync(join(rootfs, 'usr/share/doc', name)).size > 10_000, name);
    const certificates = readFileSync(join(rootfs, 'etc/ssl/certs/ca-certificates.crt'), 'utf8');
    assert.ok(certificates.split('BEGIN CERTIFICATE').length > 100);
    for (const name of ['keyhole', 'node_exporter']) {
      const { stdout, status } = spawnSync('chroot', [rootfs, `/bin/${name}`, '--version'], { encoding: 'utf8' });
      assert.equal(status, 0, name);
      assert.match(stdout, new RegExp(`keyhole, version ${VERSION.replaceAll('.', '\\.')} `));
    }
  });

  test('scanners see which Debian its libraries are from, and their versions', () => {
    assert.match(readFileSync(join(rootfs, 'etc/os-release'), 'utf8'), /^ID=debian$/m);
    const status = readFileSync(join(rootfs, 'var/lib/dpkg/status'), 'utf8');
    for (const name of ['libc6', 'libstdc++6', 'libatomic1']) {
      const [entry = ''] = status.split('\n\n').filter((each) => each.startsWith(`Package: ${name}\n`));
      assert.match(entry, /^Status: install ok installed$/m, name);
      assert.match(entry, /^Version: \d/m, name);
    }
    const admin = join(rootfs, 'var/lib/dpkg');
    const listed = spawnSync('dpkg-query', ['--admindir', admin, '-W', '-f', '${Package} ${Version}\n'], {
      encoding: 'utf8',
    });
    assert.match(listed.stdout, /^libc6 \d/m, listed.stderr);
  });

  test('the bill of materials names what is in it', () => {
    const bill = JSON.parse(readFileSync(join(ROOT, `dist/keyhole-${VERSION}.cdx.json`), 'utf8')) as {
      components: { name: string; purl: string }[];
    };
    const names = new Set(bill.components.map(({ name }) => name));
    for (const name of ['re2js', 'yaml', 'libc6', 'libstdc++6', 'ca-certificates']) assert.ok(names.has(name), name);
  });

  test('another time, place and umask give the same digest', () => {
    // All but what makes it a checkout: the commit is told by --version, and so is part of the image.
    const place = join(folder, 'elsewhere/deep');
    mkdirSync(place, { recursive: true });
    for (const file of execFileSync(
      'git',
      ['ls-files', '-z', 'src', 'tools', 'LICENSE', 'package.json', 'package-lock.json', 'tsconfig.json'],
      { cwd: ROOT, encoding: 'utf8' },
    ).split('\0'))
      if (file !== '') cpSync(join(ROOT, file), join(place, file));
    cpSync(join(ROOT, 'src/collectors/index.ts'), join(place, 'src/collectors/index.ts'));
    const build = (cwd: string, umask: string, link: string): string => {
      execFileSync('ln', ['-sfn', join(ROOT, 'node_modules'), join(link, 'node_modules')]);
      const script = `umask ${umask} && exec ${process.execPath} ${join(link, 'tools/image.ts')}`;
      const out = execFileSync('sh', ['-c', script], {
        cwd,
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'], TZ: umask === '077' ? 'Asia/Kathmandu' : 'UTC' },
      });
      return out.trim().split('\n').at(-1) as string;
    };
    const copy = join(folder, 'copy');
    cpSync(place, copy, { recursive: true });
    // What was fetched once need not be fetched again.
    for (const each of [place, copy]) {
      mkdirSync(join(each, 'dist/cache'), { recursive: true });
      cpSync(join(ROOT, 'dist/cache/debian'), join(each, 'dist/cache/debian'), { recursive: true });
      for (const name of readdirSync(join(ROOT, 'dist/cache')).filter(
        (n) => n.startsWith('node-linux') || n === 'binutils',
      ))
        cpSync(join(ROOT, 'dist/cache', name), join(each, 'dist/cache', name), { recursive: true });
    }
    const first = build('/', '022', place);
    const second = build(copy, '077', copy);
    assert.match(first, /^sha256:[0-9a-f]{64}$/);
    assert.equal(second, first);
  });

  test('through skopeo and umoci it keeps the capability', { skip: toolsSkip }, () => {
    const copied = join(folder, 'copied');
    mkdirSync(copied);
    execFileSync('skopeo', [
      '--insecure-policy',
      'copy',
      '--all',
      '-q',
      `oci-archive:${archive}:${VERSION}`,
      `oci:${copied}:there`,
    ]);
    const back = join(folder, 'back.tar');
    execFileSync('skopeo', [
      '--insecure-policy',
      'copy',
      '--all',
      '-q',
      `oci:${copied}:there`,
      `oci-archive:${back}:back`,
    ]);
    const again = unpackArchive(back, join(folder, 'again'));
    for (const architecture of ['amd64', 'arm64']) assert.ok(hasCapability(again.layers(architecture)), architecture);
    assert.equal(again.digest, layout.digest);

    // umoci knows single images only: the one of this machine.
    const single = join(folder, 'single');
    mkdirSync(single);
    execFileSync('skopeo', ['--insecure-policy', 'copy', '-q', `oci:${copied}:there`, `oci:${single}:one`]);
    const bundle = join(folder, 'bundle');
    execFileSync('umoci', ['unpack', '--image', `${single}:one`, bundle], { stdio: 'pipe' });
    const capability = (file: string): string => execFileSync('getcap', [file], { encoding: 'utf8' }).trim();
    const executable = join(bundle, 'rootfs/bin/keyhole');
    assert.equal(capability(executable), `${executable} cap_perfmon=p`);
    writeFileSync(join(bundle, 'rootfs/etc/changed'), 'changed\n');
    execFileSync('umoci', ['repack', '--image', `${single}:two`, bundle], { stdio: 'pipe' });
    assert.ok(hasCapability(openLayout(single).layers()));
  });
});

/** The base that the Containerfile names, made of this machine's packages: there may be no registry. */
const BASE = 'docker.io/library/debian:12-slim';
const buildSkip = loudly(
  notRoot() ||
    lacksPackages('buildah', 'debootstrap', 'runc', 'libcap2-bin') ||
    (process.env['KEYHOLE_E2E_CONTAINERFILE'] === undefined
      ? 'building the Containerfile: set KEYHOLE_E2E_CONTAINERFILE=1, it takes minutes'
      : false),
);

describe('the Containerfile', { skip: buildSkip, timeout: 1_200_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-buildah-'));
  const buildah = (...args: string[]): string =>
    execFileSync(
      'buildah',
      ['--root', join(folder, 'root'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs', ...args],
      {
        encoding: 'utf8',
        cwd: ROOT,
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('builds the same image', () => {
    const base = join(folder, 'base');
    execFileSync('debootstrap', ['--variant=minbase', 'bookworm', base], { stdio: ['ignore', 'ignore', 'inherit'] });
    const from = buildah('from', 'scratch').trim();
    buildah('copy', '--quiet', from, base, '/');
    // What this machine trusts: its way to the registry may have an authority of its own.
    buildah('copy', '--quiet', from, '/etc/ssl/certs/ca-certificates.crt', '/authorities.crt');
    buildah('config', '--env', 'NODE_EXTRA_CA_CERTS=/authorities.crt', from);
    buildah('commit', '--quiet', '--rm', from, BASE);
    buildah(
      'build',
      '--isolation=chroot',
      '--pull=never',
      '--quiet',
      '--tag=keyhole',
      '--file=deploy/container/Containerfile',
      '.',
    );
    const output = join(folder, 'built.tar');
    buildah('push', '--quiet', 'keyhole', `oci-archive:${output}:built`);
    const layout = unpackArchive(output, join(folder, 'layout'));
    const rootfs = join(folder, 'rootfs');
    unpackLayers(layout.layers(), rootfs);
    const executable = join(rootfs, 'bin/keyhole');
    assert.equal(execFileSync('getcap', [executable], { encoding: 'utf8' }).trim(), `${executable} cap_perfmon=p`);
    assert.equal(statSync(join(rootfs, 'bin/node_exporter')).ino, statSync(executable).ino);
    assert.match(readFileSync(join(rootfs, 'var/lib/dpkg/status'), 'utf8'), /^Package: libc6$/m);
    const { config } = layout.config();
    assert.deepEqual(config['Entrypoint'], ['/bin/keyhole']);
    assert.equal(config['User'], '65534:65534');
    const { stdout, status } = spawnSync('chroot', [rootfs, '/bin/keyhole', '--version'], { encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /keyhole, version/);
  });
});
