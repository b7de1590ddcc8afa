import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { after, test } from 'node:test';
import { askedText, declare, parseCommandLine, warnAbout } from '../../src/cli/command_line.ts';
import { programFlags } from '../../src/cli/flags.ts';
import { collectors } from '../../src/collectors/index.ts';
import { defineCollector } from '../../src/core/collector.ts';
import { UsageError } from '../../src/core/errors.ts';
import { type Flag, flag } from '../../src/core/flag.ts';
import { gauge } from '../../src/core/metric.ts';
import { loadPatterns } from '../../src/core/pattern.ts';
import { keepingLog, type Told } from '../helpers/server.ts';

await loadPatterns();

const collector = defineCollector({
  name: 'sample',
  help: 'A sample.',
  enabled: true,
  reads: [],
  flags: {
    include: flag.regexp('collector.sample.include', 'Things to report (RE2).', '^a.+$'),
    exclude: flag.text('collector.sample.things', 'Things to leave out (RE2).', '.+\\.(automount|slice)'),
    old: flag.regexp('collector.sample.whitelist', 'Things.', '', {
      hidden: true,
      deprecated: 'collector.sample.include',
    }),
  },
  metrics: { things: gauge('sample_things', 'Things.') },
  setup: () => () => {},
});
const declared = declare([collector]);
const line = (...argv: string[]) => ({ program: 'node_exporter', argv, env: {} });
const text = (...argv: string[]): string => askedText(line(...argv), declared) ?? '';

const lacking = (shell: string): string | false =>
  spawnSync(shell, ['--version']).status === 0 ? false : `needs ${shell}`;

test('help tells every flag that is not hidden, and its value', () => {
  const help = text('--help');
  assert.match(help, /^usage: node_exporter \[flags\]/);
  assert.match(help, /^ {2}-h, --help {2,}Show this help/m);
  assert.match(help, /^ {6}--\[no-\]collector\.sample /m);
  assert.match(help, /^ {6}--collector\.sample\.include="\^a\.\+\$"/m);
  assert.match(help, /^ {6}--log\.format=logfmt\|json/m);
  assert.match(help, /^ {6}--web\.listen-address=":9100" \.\.\./m);
  assert.match(help, /\$GOMAXPROCS/);
  assert.doesNotMatch(help, /whitelist|--completion-bash/);
  assert.match(help, /^ {2}explain METRIC {2,}Report where/m);
  for (const more of ['--help-long', '--help-man', '--completion-script-{bash,zsh,fish}'])
    assert.match(help, new RegExp(`^  ${RegExp.escape(more)}\\s{2,}\\S`, 'm'));
  assert.ok(help.split('\n').every((each) => each.length <= 200 && !each.endsWith(' ')));
  assert.equal(text('-h'), help);
});

test('a word that is nearly a command has a hint', () => {
  const hintOf = (word: string): string | undefined => {
    try {
      parseCommandLine(line(word), declared);
    } catch (error) {
      return error instanceof UsageError ? `${error.message}, ${error.hint}` : undefined;
    }
    return undefined;
  };
  assert.equal(hintOf('doctr'), "unexpected doctr, did you mean 'doctor'?");
  assert.equal(hintOf('comapre'), "unexpected comapre, did you mean 'compare'?");
  assert.equal(hintOf('--help-lnog'), "unknown long flag '--help-lnog', did you mean '--help-long'?");
  assert.equal(hintOf('serve'), 'unexpected serve, try --help');
});

test('the long help tells the hidden flags too', () => {
  const help = text('--help-long');
  assert.match(help, /--collector\.sample\.whitelist=VALUE/);
  assert.match(help, /Deprecated: use --collector\.sample\.include\./);
});

test('the man page escapes what roff would take for its own', () => {
  const page = text('--help-man');
  assert.match(page, /^\.TH node_exporter 1 /);
  assert.match(page, /^\\fB\\-\\-\[no\\-\]collector\.sample\\fR$/m);
  assert.match(page, /\.automount|\\e\.\(automount/);
});

test('the man page has the commands with their flags, and what a reader looks for behind the options', () => {
  const page = text('--help-man');
  for (const title of ['EXIT STATUS', 'FILES', 'ENVIRONMENT', 'EXAMPLES', 'SEE ALSO'])
    assert.match(page, new RegExp(`^\\.SH ${title}$`, 'm'));
  for (const usage of ['doctor', 'events', 'collectors', 'explain METRIC', 'check', 'compare'])
    assert.match(page, new RegExp(`^\\.SS ${usage} `, 'm'));
  assert.match(page, /^\\fB\\-\\-insecure\\fR\nTake any TLS certificate\.$/m);
  assert.match(page, /^\\fB75\\fR$/m);
  assert.match(page, /KEYHOLE_DEFAULTS/);
  assert.match(page, /node_exporter doctor/);
});

test('roff has nothing to say against the man page', { skip: lacking('groff') }, () => {
  const { status, stdout, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-P-cbou', '-ww', '-rLL=80n'], {
    input: text('--help-man'),
    encoding: 'utf8',
  });
  assert.deepEqual([status, stderr], [0, '']);
  assert.match(stdout, /systemd\.exec/);
});

test('the version tells build and platform', () => {
  assert.match(text('--version'), /^keyhole, version \d+\.\d+\.\d+ \(branch: .*, revision: .*\)\n/);
  assert.match(text('--version'), /^ {2}platform: +linux\/(amd64|arm64)$/m);
});

test('completions are flags that begin like the word, and the choices of the flag before', () => {
  assert.equal(text('--completion-bash', '--web.max'), '--web.max-requests\n');
  assert.equal(
    text('--completion-bash', '--collector.sam'),
    '--collector.sample\n--collector.sample.include\n--collector.sample.things\n',
  );
  assert.equal(text('--completion-bash', '--no-collector.sam'), '--no-collector.sample\n');
  assert.equal(text('--completion-bash', '--log.format', ''), 'logfmt\njson\n');
  assert.equal(text('--completion-bash', 'exp'), 'explain\n');
  assert.match(text('--completion-bash', ''), /^doctor\nevents\ncollectors\nexplain\ncheck\ncompare\n--help\n/);
  assert.equal(text('--completion-bash', 'explain', 'exp'), '');
  assert.equal(text('--completion-bash', '--help-l'), '--help-long\n');
  assert.doesNotMatch(text('--completion-bash', '--'), /help-long|completion-/);
});

test('completions of a command are its own flags and what has to follow it', () => {
  assert.equal(text('--completion-bash', 'doctor', '--js'), '--json\n');
  assert.equal(text('--completion-bash', 'check', '--js'), '');
  assert.equal(text('--completion-bash', 'compare', '--'), '--json\n--insecure\n--help\n');
  assert.equal(text('--completion-bash', 'events', '--'), '--json\n--help\n--path.sysfs\n');
  assert.equal(text('--completion-bash', 'collectors', '--web.max'), '--web.max-requests\n');
  assert.equal(text('--completion-bash', 'explain', 'sample_t'), 'sample_things\n');
  assert.equal(text('--completion-bash', 'explain', 'sample_things', '--js'), '--json\n');
});

test('completions of a value behind an equals sign are whole words, or parts where the shell splits there', () => {
  assert.equal(text('--completion-bash', '--log.level=d'), '--log.level=debug\n');
  assert.equal(text('--completion-bash', '--log.level', '=', 'd'), 'debug\n');
  assert.equal(text('--completion-bash', '--log.format', '='), 'logfmt\njson\n');
  assert.equal(text('--completion-bash', '--log.format', '=', 'json', '--web.max'), '--web.max-requests\n');
});

test('names of files are left to the shell', () => {
  for (const words of [['--web.config.file', ''], ['--web.config.file', '=', 'a'], ['@a'], ['compare', 'a', '']])
    assert.equal(text('--completion-bash', ...words), '', words.join(' '));
});

const folder = mkdtempSync(join(tmpdir(), 'keyhole-completion-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** What a shell offers for a command line, by the script and a program that answers as Keyhole does. */
function offered(shell: 'bash' | 'fish', words: readonly string[]): string[] {
  const program = join(folder, 'node_exporter');
  const seam = new URL('../../src/cli/command_line.ts', import.meta.url).href;
  const script = `
    const { askedText, declare } = await import(${JSON.stringify(seam)});
    process.stdout.write(askedText({ program: 'keyhole', argv: process.argv.slice(2), env: {} }, declare([])));`;
  writeFileSync(join(folder, 'web.yml'), '');
  writeFileSync(join(folder, 'answer.mjs'), script);
  writeFileSync(program, `#!/bin/sh\nexec ${process.execPath} ${folder}/answer.mjs "$@"\n`, { mode: 0o755 });
  writeFileSync(join(folder, 'script'), text(`--completion-script-${shell}`));
  const typed = words.join(' ');
  const source =
    shell === 'fish'
      ? `source script; complete -C ${JSON.stringify(`node_exporter ${typed}`)}`
      : `. ./script; COMP_WORDS=(node_exporter ${typed.replaceAll('=', ' = ')}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
         _node_exporter_complete; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const env = { ...process.env, HOME: folder, PATH: `${folder}:${process.env['PATH']}` };
  const answer = execFileSync(shell, ['-c', source], { cwd: folder, env, encoding: 'utf8' });
  return answer.split('\n').filter((line) => line !== '');
}

test('bash takes the values behind an equals sign', () => {
  assert.deepEqual(offered('bash', ['--log.level=d']), ['debug']);
  assert.deepEqual(offered('bash', ['--log.format=']), ['logfmt', 'json']);
  assert.deepEqual(offered('bash', ['compare', '--js']), ['--json']);
  assert.deepEqual(offered('bash', ['--web.config.file=w']), []);
});

test('fish takes the values behind an equals sign, and names of files', { skip: lacking('fish') }, () => {
  assert.deepEqual(offered('fish', ['--log.level=d']), ['--log.level=debug']);
  assert.deepEqual(offered('fish', ['--web.config.file=we']), ['--web.config.file=web.yml']);
  assert.deepEqual(offered('fish', ['@we']), ['@web.yml']);
  assert.deepEqual(offered('fish', ['compare', 'we']), ['web.yml']);
});

test('the scripts bind the completions to the name the program was started by', () => {
  assert.match(text('--completion-script-bash'), /^complete -o default -F _node_exporter_complete node_exporter$/m);
  assert.match(text('--completion-script-zsh'), /^#compdef node_exporter\n/);
  assert.match(text('--completion-script-fish'), /^complete -c node_exporter /m);
});

test('without one of these flags nothing is printed', () => {
  assert.equal(askedText(line('--collector.sample'), declared), undefined);
});

test('a deprecated flag works, and is told', () => {
  const parsed = parseCommandLine(line('--collector.sample.whitelist=x'), declared);
  const told: Told[] = [];
  warnAbout(parsed, declared, keepingLog(told));
  assert.deepEqual(
    told.map(({ fields }) => fields),
    [{ flag: '--collector.sample.whitelist', use: '--collector.sample.include' }],
  );
});

test('the log level is taken in any case, the format is not', () => {
  assert.equal(parseCommandLine(line('--log.level=WARN'), declared).valueOf(programFlags.logLevel), 'warn');
  assert.throws(() => parseCommandLine(line('--log.level=loud'), declared), UsageError);
  assert.throws(() => parseCommandLine(line('--log.format=JSON'), declared), UsageError);
});

test('the time of a collector is one that a timer can wait', () => {
  const timeoutOf = (text: string) =>
    parseCommandLine(line(`--collector.timeout=${text}`), declared).valueOf(programFlags.collectorTimeoutMs);
  assert.equal(timeoutOf('1.5s'), 1500);
  assert.equal(timeoutOf('1000h'), 2 ** 31 - 1);
  for (const text of ['0', '-1s']) assert.throws(() => timeoutOf(text), UsageError);
});

test('GOMAXPROCS is read from the environment, and must be a number', () => {
  const parsed = parseCommandLine({ ...line(), env: { GOMAXPROCS: '4' } }, declared);
  assert.equal(parsed.valueOf(programFlags.goMaxProcs), 4);
});

test('no flag is declared twice', () => {
  const names = declare(collectors).flags.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name, i) => names.indexOf(name) !== i),
    [],
  );
});

test('what community charts pass is taken', () => {
  const argv = [
    '--path.procfs=/host/proc',
    '--path.sysfs=/host/sys',
    '--path.rootfs=/host/root',
    '--path.udev.data=/host/root/run/udev/data',
    '--web.listen-address=[0.0.0.0]:9100',
    '--no-collector.wifi',
  ];
  const parsed = parseCommandLine(line(...argv), declare(collectors));
  assert.deepEqual(parsed.valueOf(programFlags.listenAddress), ['[0.0.0.0]:9100']);
});

const SPEC = new URL('../../../shared/spec/flags.json', import.meta.url);
interface Spec {
  readonly flags: readonly { name: string; collector: string | null; default: unknown; hidden: boolean }[];
}

test("the program's own flags are those of the reference", { skip: !existsSync(SPEC) }, () => {
  const spec = JSON.parse(readFileSync(SPEC, 'utf8')) as Spec;
  const known = new Map(declared.flags.map((each) => [`--${each.name}`, each]));
  const own = spec.flags.filter(({ collector: of }) => of === null);
  for (const { name, default: fallback, hidden } of own) {
    const found = known.get(name);
    assert.ok(found, name);
    assert.equal(found.fallback.join(), Array.isArray(fallback) ? fallback.join() : fallback, name);
    assert.equal(found.hidden ?? false, hidden, name);
  }
});

test('KEYHOLE_DEFAULTS hold where the command line says nothing, and do not count as given', () => {
  const env = { KEYHOLE_DEFAULTS: ' --no-collector.sample  --collector.sample.include=^b$ --web.listen-address=:1 ' };
  const parse = (...argv: string[]) => parseCommandLine({ program: 'keyhole', argv, env }, declared);
  const [toggle] = declared.flags.filter(({ name }) => name === 'collector.sample');
  const { include } = collector.flags;
  const packaged = parse();
  assert.equal(packaged.valueOf(toggle as Flag<boolean>), false);
  assert.equal(String(packaged.valueOf(include)?.source), '^b$');
  assert.deepEqual(packaged.valueOf(programFlags.listenAddress), [':1']);
  assert.equal(packaged.isGiven(include), false);
  const changed = parse('--collector.sample', '--web.listen-address=:2');
  assert.equal(changed.valueOf(toggle as Flag<boolean>), true);
  assert.deepEqual(changed.valueOf(programFlags.listenAddress), [':2']);
  assert.throws(
    () => parseCommandLine({ program: 'keyhole', argv: [], env: { KEYHOLE_DEFAULTS: '--nonsense' } }, declared),
    /KEYHOLE_DEFAULTS: unknown long flag '--nonsense'/,
  );
  assert.throws(
    () => parseCommandLine({ program: 'keyhole', argv: [], env: { KEYHOLE_DEFAULTS: '@/etc/arguments' } }, declared),
    /KEYHOLE_DEFAULTS: unexpected @\/etc\/arguments/,
  );
});
