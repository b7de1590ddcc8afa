import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import loadavg from '../../src/collectors/loadavg.ts';
import textfile from '../../src/collectors/textfile.ts';
import { type LogFields, silent } from '../../src/core/log.ts';
import { othersFiles } from '../../src/source/others_files.ts';
import { bytesTree, FIXTURES, golden, prepared, scrape, tree } from '../helpers/scrape.ts';
import { keepingLog, type Told } from '../helpers/server.ts';

const MTIME = 1_700_000_000.75;

/** A folder with these files, the scrape's text without the mtimes. */
async function textOf(t: TestContext, files: Readonly<Record<string, string>>, ...directories: readonly string[]) {
  const root = tree(t, files);
  const argv = (directories.length === 0 ? ['.'] : directories).map(
    (d) => `--collector.textfile.directory=${join(root, d)}`,
  );
  const { text, success } = await scrape(textfile, { root, argv });
  assert.ok(success);
  return text
    .split('\n')
    .filter((line) => !/^$|^# .* node_textfile|^node_textfile_mtime/.test(line))
    .join('\n');
}

test('textfile: the fixtures scrape to the golden text', (t) => {
  const root = tree(t, {});
  cpSync(`${FIXTURES}textfile`, join(root, 'textfile'), { recursive: true });
  for (const file of ['backup/backup.prom', 'backup/cron.prom', 'raid/raid.prom'])
    utimesSync(join(root, 'textfile', file), MTIME, MTIME);
  return golden(t, textfile, { root, argv: [`--collector.textfile.directory=${root}/textfile/*`] });
});

test('without a directory there is no file and no error', async () => {
  assert.match((await scrape(textfile)).text, /^node_textfile_scrape_error 0\n$/m);
  assert.doesNotMatch((await scrape(textfile)).text, /mtime/);
});

test('a directory that is not there is an error and spoils nothing else', async (t) => {
  const text = await textOf(t, { 'good/a.prom': 'a 1\n' }, 'bad', 'bad*', 'good');
  assert.match(text, /^a 1$/m);
  assert.match(text, /^node_textfile_scrape_error 1$/m);
});

for (const [why, bad] of [
  ['a timestamp', 'fine 1\nup 1 1700000000000\n'],
  ['no newline at the end', 'fine 1\nup 1'],
  ['what is no text format at all', '{"json": true}\n'],
  ['a label value that is not UTF-8', Buffer.from('fine 1\nup{a="\xff"} 1\n', 'latin1')],
  ['a gauge histogram', 'fine 1\n# TYPE h gaugehistogram\nh_bucket{le="1"} 1\n'],
] as const)
  test(`a file with ${why} is left out whole, and the others are not`, async (t) => {
    const root = tree(t, { 'b.prom': 'good 2\n' });
    writeFileSync(join(root, 'a.prom'), bad);
    const { text } = await scrape(textfile, { root, argv: [`--collector.textfile.directory=${root}`] });
    assert.match(text, /^good 2$/m);
    assert.match(text, /^node_textfile_scrape_error 1$/m);
    assert.match(text, /^node_textfile_mtime_seconds\{file="<root>\/b.prom"\} \d/m);
    assert.doesNotMatch(text, /a\.prom|^fine|^up/m);
  });

test('a named pipe, a folder, a dead link and a file without end are refused at once', async (t) => {
  const root = tree(t, { 'good.prom': 'good 2\n' });
  execFileSync('mkfifo', [join(root, 'pipe.prom')]);
  mkdirSync(join(root, 'folder.prom'));
  symlinkSync('nowhere', join(root, 'dead.prom'));
  symlinkSync('/dev/zero', join(root, 'endless.prom'));
  const { text } = await scrape(textfile, { root, argv: [`--collector.textfile.directory=${root}`] });
  assert.match(text, /^good 2$/m);
  assert.match(text, /^node_textfile_scrape_error 1$/m);
  assert.equal(text.match(/mtime_seconds\{/g)?.length, 1);
});

test('a file of more than 16 MiB is refused', async (t) => {
  const root = tree(t, { 'big.prom': '#', 'good.prom': 'good 2\n' });
  truncateSync(join(root, 'big.prom'), (16 << 20) + 1);
  const { text } = await scrape(textfile, { root, argv: [`--collector.textfile.directory=${root}`] });
  assert.match(text, /^good 2$/m);
  assert.match(text, /^node_textfile_scrape_error 1$/m);
});

test('a comment that is not UTF-8 does no harm', async (t) => {
  const root = tree(t, {});
  writeFileSync(join(root, 'a.prom'), Buffer.from('# gr\xfc\xdfe\nup 1\n', 'latin1'));
  const { text } = await scrape(textfile, { root, argv: [`--collector.textfile.directory=${root}`] });
  assert.match(text, /^up 1$/m);
  assert.match(text, /^node_textfile_scrape_error 0$/m);
});

test('a label value may hold U+FFFD', async (t) => {
  assert.match(await textOf(t, { 'a.prom': 'up{a="\ufffd"} 1\n' }), /^up\{a="\ufffd"\} 1$/m);
});

test('labels are made equal within a family and file, not among files', async (t) => {
  assert.equal(
    await textOf(t, { 'a.prom': 'm{x="1"} 1\nm{y="2"} 2\n', 'b.prom': 'm{z="3"} 3\n' }),
    [
      '# HELP m Metric read from <root>/a.prom, <root>/b.prom',
      '# TYPE m untyped',
      'm{z="3"} 3',
      'm{x="",y="2"} 2',
      'm{x="1",y=""} 1',
      'node_textfile_scrape_error 0',
    ].join('\n'),
  );
});

test('another HELP in a later file leaves that family out; a missing one does not', async (t) => {
  assert.equal(
    await textOf(t, {
      'a.prom': 'm{f="a"} 1\n',
      'b.prom': '# HELP m first\nm{f="b"} 2\n',
      'c.prom': '# HELP m second\nm{f="c"} 3\nn 4\n',
      'd.prom': 'm{f="d"} 5\n',
    }),
    [
      '# HELP m first',
      '# TYPE m untyped',
      'm{f="a"} 1',
      'm{f="b"} 2',
      'm{f="d"} 5',
      '# HELP n Metric read from <root>/c.prom',
      '# TYPE n untyped',
      'n 4',
      'node_textfile_scrape_error 1',
    ].join('\n'),
  );
});

test('the same series twice is dropped and is no error of the files', async (t) => {
  const text = await textOf(t, { 'a.prom': 'm 1\nm 2\n', 'b.prom': 'm 3\n' });
  assert.equal(text.match(/^m \d$/gm)?.join(), 'm 1');
  assert.match(text, /^node_textfile_scrape_error 0$/m);
});

for (const name of [
  'node_textfile_scrape_error',
  'node_textfile_mtime_seconds',
  'node_load1',
  'keyhole_privilege_mode',
  'process_cpu_seconds_total',
  'nodejs_version_info',
  'promhttp_metric_handler_requests_total',
  'node_scrape_collector_success',
  'node_exporter_build_info',
])
  test(`a file cannot say ${name}, and the rest of it counts`, async (t) => {
    const root = tree(t, {
      'a.prom': `fine 1\n# TYPE ${name} gauge\n${name} 777\n`,
    });
    const argv = [`--collector.textfile.directory=${root}`];
    const logged: LogFields[] = [];
    const log = { ...silent, error: (_: string, fields: LogFields = {}) => void logged.push(fields), with: () => log };
    const run = prepared(textfile, { root, argv, log, beside: [loadavg] });
    await run();
    const { text } = await run();
    assert.match(text, /^fine 1$/m);
    assert.match(text, /^node_textfile_scrape_error 1$/m);
    assert.doesNotMatch(text, / 777$/m);
    assert.deepEqual(
      logged.map((fields) => fields['err']),
      [`${name} is a name of the exporter's own`],
    );
  });

for (const name of ['node_load1', 'node_exporter_build_information', 'my_process_count'])
  test(`a file may say ${name} where nobody else does`, async (t) => {
    assert.match(await textOf(t, { 'a.prom': `${name} 7\n` }), new RegExp(`^${name} 7$`, 'm'));
  });

test('a file is not read again while it is the same', async (t) => {
  const root = tree(t, { 'a.prom': 'm 1\n', 'b.prom': 'n 1\n' });
  const read: string[] = [];
  const files = {
    ...othersFiles,
    read(path: string, bytesMax: number) {
      read.push(path.slice(root.length));
      return othersFiles.read(path, bytesMax);
    },
  };
  const run = prepared(textfile, { root, othersFiles: files, argv: [`--collector.textfile.directory=${root}`] });
  const first = await run();
  assert.equal((await run()).text, first.text);
  assert.deepEqual(read, ['/a.prom', '/b.prom']);
  writeFileSync(join(root, 'c.prom'), 'm 2\n');
  renameSync(join(root, 'c.prom'), join(root, 'a.prom'));
  assert.match((await run()).text, /^m 2$/m);
  assert.deepEqual(read, ['/a.prom', '/b.prom', '/a.prom']);
});

test('what was read before the time was over is not read again', async (t) => {
  const root = tree(t, { 'a.prom': 'm 1\n', 'b.prom': 'n 1\n', 'c.prom': 'o 1\n' });
  const read: string[] = [];
  const { promise: released, resolve: release } = Promise.withResolvers<void>();
  const files = {
    ...othersFiles,
    async read(path: string, bytesMax: number) {
      read.push(path.slice(root.length));
      if (path.endsWith('b.prom')) await released;
      return othersFiles.read(path, bytesMax);
    },
  };
  const argv = [`--collector.textfile.directory=${root}`];
  const run = prepared(textfile, { root, othersFiles: files, argv, timeoutMs: 50 });
  assert.match(String((await run()).error), /not done/);
  release();
  while (!/^o 1$/m.test((await run()).text)) await setImmediate();
  assert.equal(read.filter((name) => name === '/a.prom').length, 1);
});

test('files that are too long together are left out, those that come first are not', async (t) => {
  const root = tree(t, { 'a.prom': 'm 1\n', 'b.prom': '#', 'c.prom': '#', 'd.prom': 'n 1\n' });
  truncateSync(join(root, 'c.prom'), (16 << 20) - 4);
  writeFileSync(join(root, 'c.prom'), '\n', { flag: 'a' });
  writeFileSync(join(root, 'b.prom'), 'b 1\n');
  const { text } = await scrape(textfile, { root, argv: [`--collector.textfile.directory=${root}`] });
  for (const name of ['m', 'b', 'n']) assert.match(text, new RegExp(`^${name} 1$`, 'm'));
  assert.match(text, /^node_textfile_scrape_error 1$/m);
});

test('a file is read once though two patterns find it', async (t) => {
  const root = tree(t, { 'd/a.prom': 'm 1\n' });
  const argv = ['d', 'd/', '*', 'd/../d'].map((d) => `--collector.textfile.directory=${root}/${d}`);
  const { text } = await scrape(textfile, { root, argv });
  assert.match(text, /Metric read from <root>\/d\/a.prom\n/);
});

test('files that come, change and go are followed; a fault is told once until it is another', async (t) => {
  const root = tree(t, { 'a.prom': 'm 1\n', 'b.prom': 'broken' });
  const told: LogFields[] = [];
  const log = { ...silent, error: (_: string, fields: LogFields = {}) => void told.push(fields), with: () => log };
  const run = prepared(textfile, { root, log, argv: [`--collector.textfile.directory=${root}`] });
  assert.match((await run()).text, /^m 1$/m);
  assert.match((await run()).text, /^m 1$/m);
  assert.equal(told.length, 1);
  assert.equal(told[0]?.['file'], join(root, 'b.prom'));
  writeFileSync(join(root, 'a.prom'), '# HELP m new\n# TYPE m counter\nm{x="1"} 2\n');
  writeFileSync(join(root, 'b.prom'), 'm 1 2\n');
  assert.match((await run()).text, /^# HELP m new\n# TYPE m counter\nm\{x="1"\} 2$/m);
  assert.equal(told.length, 2);
  rmSync(join(root, 'a.prom'));
  rmSync(join(root, 'b.prom'));
  assert.doesNotMatch((await run()).text, /^m/m);
  assert.equal(told.length, 2);
});

test('folders that are missing or empty are said at start', async (t) => {
  const root = tree(t, { 'full/a.prom': 'a 1\n', 'empty/readme': '' });
  const told: Told[] = [];
  const argv = ['full', 'empty', 'missing', 'e*'].map((name) => `--collector.textfile.directory=${join(root, name)}`);
  await prepared(textfile, { root, log: keepingLog(told), argv })();
  const deadline = Date.now() + 5000;
  while (told.filter(({ level }) => level === 'warn').length < 3 && Date.now() < deadline) await setImmediate();
  const notices = told.filter(({ message }) => /^no text files/.test(message));
  assert.deepEqual(
    notices.map(({ level, fields }) => [level, basename(String(fields['file']))]),
    [
      ['warn', 'empty'],
      ['warn', 'missing'],
      ['warn', 'empty'],
    ],
  );
  assert.match(String(notices[1]?.fields['err']), /ENOENT/);
});

test('files and folders may be called anything', async (t) => {
  const files = { 'd\xe9/x\xe9.prom': 'a 1\n', 'd\xe9/x\xc3\xa9.prom': 'b 2\n', 'd\xe9/\xff.prom': '?\n' };
  const root = bytesTree(t, files, 'ré日本');
  const told: Told[] = [];
  const argv = [`--collector.textfile.directory=${root}/*`];
  const { text } = await scrape(textfile, { root, argv, log: keepingLog(told) });
  assert.match(text, /^a 1$/m);
  assert.match(text, /^b 2$/m);
  for (const file of ['xé', 'x\ufffd'])
    assert.match(text, new RegExp(`^node_textfile_mtime_seconds\\{file="<root>/d\ufffd/${file}.prom"\\}`, 'm'));
  assert.match(text, /^# HELP a Metric read from <root>\/d\ufffd\/x\ufffd\.prom$/m);
  assert.deepEqual(
    told.filter(({ level }) => level === 'error').map(({ fields }) => fields['file']),
    [`${root}/d\ufffd/\ufffd.prom`],
  );
});
