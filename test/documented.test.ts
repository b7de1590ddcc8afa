// What the pages say and code decides: commands, defaults, labels, messages, figures.
import assert from 'node:assert/strict';
import { cpSync, existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { parse } from 'yaml';
import { declare, parseCommandLine, prepareParsing } from '../src/cli/command_line.ts';
import { isCommand } from '../src/cli/commands.ts';
import { collectors } from '../src/collectors/index.ts';
import type { Flag } from '../src/core/flag.ts';
import { loadPatterns } from '../src/core/pattern.ts';
import { CATALOG } from '../src/perf/catalog.ts';
import { PRESETS } from '../src/perf/presets.ts';
import { checkWebConfig } from '../src/server/check_config.ts';
import { RUNS, whoRuns } from './helpers/documented.ts';
import { blocksOf, type Code, commandsIn, pagesByHand, ROOT, read, wordsOf } from './helpers/documents.ts';
import { FIGURES } from './helpers/figures.ts';
import { FIXTURES } from './helpers/scrape.ts';

await loadPatterns();

const commands = commandsIn(pagesByHand);
const declared = declare(collectors);
const manifest = JSON.parse(read('package.json')) as { version: string; scripts: Record<string, string> };

const oneLine = (text: string): string => text.replace(/\s+/g, ' ');

test('somebody runs every command, or it is said why nobody does', () => {
  assert.ok(commands.length > 100);
  for (const { page, text } of commands) {
    const { file, words = '', why } = whoRuns(text);
    assert.ok(file !== undefined || why !== undefined, `${page}: nobody runs ${text}`);
    if (file !== undefined) assert.ok(read(file).includes(words), `${page}: ${file} does not run ${text}`);
  }
});

test('what is run for the pages stands there', () => {
  const known = new Set(commands.map(({ text }) => text.replace(/^npm ci && /, '')));
  assert.deepEqual(
    RUNS.map(({ command }) => command).filter((command) => !known.has(command)),
    [],
  );
});

/** Which files the words after `--` choose, as bench/main.ts and test/e2e/main.ts do. */
const CHOOSES: Readonly<Record<string, string>> = { bench: 'bench/*.ts', 'test:e2e': 'test/e2e/**/*.test.ts' };

test('scripts, tests and benches have the names by which the pages call them', () => {
  const called = commands.flatMap(({ page, text }) =>
    [...text.matchAll(/npm run (\S+)(?: -- (\S+))?/g)].map((match) => ({ page, match })),
  );
  assert.ok(called.length > 20);
  for (const { page, match } of called) {
    const [, script = '', word] = match;
    assert.ok(script in manifest.scripts, `${page}: npm run ${script}`);
    const choice = CHOOSES[script];
    if (word === undefined || word.startsWith('--') || choice === undefined) continue;
    const files = globSync(choice, { cwd: ROOT }).filter((file) => file.includes(word));
    assert.ok(files.length > 0, `${page}: npm run ${script} -- ${word}`);
  }
});

test('the tests that docs/reliability.md names are there', () => {
  const named = [...read('docs/reliability.md').matchAll(/\| `([\w/]+)` \|$/gm)].map(([, name = '']) => name);
  assert.ok(named.length > 5);
  for (const name of named)
    assert.ok(
      existsSync(join(ROOT, `test/e2e/${name}.test.ts`)) || existsSync(join(ROOT, `test/${name}.test.ts`)),
      name,
    );
});

test('commands of Keyhole are commands', () => {
  const words = commands.flatMap(({ text }) => /(?<!-n )\bkeyhole ([a-z]+)/.exec(text)?.[1] ?? []);
  assert.ok(words.length > 20);
  for (const word of words) assert.ok(isCommand(word) || word === 'opener', word);
});

test('the version in pages and manifests is that of package.json', () => {
  const found = [...pagesByHand, ...globSync('deploy/**/*.yaml', { cwd: ROOT })].flatMap((page) =>
    [...read(page).matchAll(/keyhole[-_:](\d+\.\d+\.\d+)|newTag: "?(\d+\.\d+\.\d+)/g)].map(([, a, b]) => ({
      page,
      version: a ?? b,
    })),
  );
  assert.ok(found.length > 10);
  assert.deepEqual(
    found.filter(({ version }) => version !== manifest.version),
    [],
  );
});

const flagNamed = (name: string): Flag => {
  const found = declared.flags.find((flag) => flag.name === name);
  assert.ok(found !== undefined, name);
  return found;
};

/** How the pages give the default of a flag. */
const DEFAULTS: readonly RegExp[] = [
  /(?<value>\d+(?: s)?) \(`--(?<name>[\w.-]+)`/g,
  /`--(?<name>[\w.-]+)` \((?<value>\d+)\)/g,
  /`--(?<name>[\w.-]+)=(?<value>[\w.-]+)` \(default\)/g,
  /`--(?<name>[\w.-]+)` \| [^|]*?(?<value>\d+) (?:reach|by default)/g,
  /`--(?<name>[\w.-]+)` \| [^|]*?`(?<value>[^`]+)` by default/g,
];

test('defaults are those of the flags', () => {
  const found = pagesByHand.flatMap((page) =>
    DEFAULTS.flatMap((pattern) => [...read(page).matchAll(pattern)].map((match) => ({ page, ...match.groups }))),
  );
  assert.ok(found.length >= 10, JSON.stringify(found));
  for (const { page, name = '', value = '' } of found as readonly { page: string; name?: string; value?: string }[])
    assert.equal(value.replace(' s', 's'), flagNamed(name).fallback[0], `${page}: --${name}`);
});

/** Command lines in blocks and words: flags of Keyhole alone, and the arguments of a unit. */
const commandLines = (): string[] => {
  const texts = pagesByHand.flatMap((page) => [...blocksOf(page), ...wordsOf(page)]).map(({ text }) => text);
  const flags = [
    ...texts,
    ...read('docs/perf.md')
      .split('\n')
      .map((line) => line.replace(/ #.*/, '').trim()),
  ].filter((text) => /^--(collector|web|privilege|path|log)\S*=\S/.test(text) || /^--collector\.perf /.test(text));
  return [...flags, ...texts.flatMap((text) => /^ARGS="(--.*)"$/m.exec(text)?.[1] ?? [])];
};

test('command lines in the pages are taken', async () => {
  const lines = commandLines().filter((line) => !/[<…*]|\$\(|=name|=seccomp/.test(line));
  assert.ok(lines.length > 25, `${lines.length}`);
  for (const line of lines) {
    const commandLine = { program: 'keyhole', argv: line.split(' ').map((each) => each.replaceAll("'", '')), env: {} };
    await prepareParsing(commandLine, declared);
    assert.doesNotThrow(() => parseCommandLine(commandLine, declared), line);
  }
});

interface Labelled {
  readonly name: string;
  readonly labels: readonly string[];
}

const declaredLabels = new Map(
  [...read('docs/metrics.md').matchAll(/^\| `([a-z]+_[^`]*)` \| \w+ \| (.*?) \|/gm)].map(
    ([, name = '', labels = '']) => [name, [...labels.matchAll(/`([^`]+)`/g)].map(([, label = '']) => label)],
  ),
);

/** `name{a,b="c"}` */
const labelledIn = ({ text }: Code): Labelled[] =>
  [...text.matchAll(/\b((?:node|keyhole|nodejs|promhttp)_\w+)\{([^}]*)\}/g)].map(([, name = '', inside = '']) => ({
    name,
    labels: [...inside.matchAll(/(?:^|,)\s*(\w+)(?=[,=!}~]|$)/g)].map(([, label = '']) => label),
  }));

test('labels are those of the metric', () => {
  const all = pagesByHand.flatMap((page) => [...wordsOf(page), ...blocksOf(page)]).flatMap(labelledIn);
  assert.ok(all.length > 15, `${all.length}`);
  for (const { name, labels } of all) {
    const known = declaredLabels.get(name);
    assert.ok(known !== undefined, name);
    assert.deepEqual(
      labels.filter((label) => !known.includes(label) && label !== 'instance'),
      [],
      name,
    );
  }
});

const sources = globSync('{src/**/*.ts,deploy/**/*}', { cwd: ROOT, withFileTypes: true })
  .filter((entry) => entry.isFile() && entry.name !== 'assets.ts')
  .map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
  .join('\n');

test('messages that the pages quote are those that the program writes', () => {
  const quoted = pagesByHand.flatMap((page) => {
    const codes = [...wordsOf(page), ...blocksOf(page).filter(({ language }) => language === 'text')];
    const fields = codes.flatMap(({ text }) => [
      ...text.matchAll(/(?:msg|err|reason|change|device_error)="([^"]{8,})"/g),
    ]);
    const seen = oneLine(read(page)).matchAll(/(?:[Yy]ou see|refused:|says) [`"]([^`"]{8,})[`"]/g);
    return [...fields, ...seen].map(([, message = '']) => ({ page, message }));
  });
  assert.ok(quoted.length > 6, `${quoted.length}`);
  for (const { page, message } of quoted) {
    // Numbers, paths, names of units and of arguments are put in.
    const parts = message.split(/--\S+|\d+|\/\S+|[\w-]+\.service/).map((part) => part.trim());
    for (const part of parts) assert.ok(part.length < 3 || sources.includes(part), `${page}: ${message}`);
  }
});

/** The words in backquotes that a table of a page has in a column, row by row. */
const column = (page: string, heading: RegExp, at: number): string[] => {
  const [, rows = ''] = new RegExp(`^\\| ${heading.source}.*\\n\\|.*\\n((?:\\|.*\\n)+)`, 'm').exec(read(page)) ?? [];
  return rows
    .split('\n')
    .flatMap((row) => [...(row.split(' | ')[at] ?? '').matchAll(/`([^`]+)`/g)].map(([, word = '']) => word));
};

test('docs/perf.md has every reason, preset and event', () => {
  const [, union = ''] = /type Reason =\n(.*?);/s.exec(read('src/perf/access.ts')) ?? [];
  const reasons = [...union.matchAll(/'(\w+)'/g)].map(([, reason = '']) => reason);
  assert.ok(reasons.length > 10);
  assert.deepEqual(column('docs/perf.md', /reason/, 0).sort(), reasons.sort());
  assert.deepEqual(column('docs/perf.md', /preset/, 0), Object.keys(PRESETS));
  assert.deepEqual(
    column('docs/perf.md', /flag \| events/, 1)
      .slice(0, CATALOG.length)
      .sort(),
    CATALOG.map(({ name }) => name).sort(),
  );
});

test('docs/dependencies.md lists the Debian packages that tests install', () => {
  const installed = globSync('test/**/*.ts', { cwd: ROOT }).flatMap((file) => {
    const text = read(file);
    return [...text.matchAll(/lacksPackages\((\.\.\.(\w+)|'[^)]*)\)/g)].flatMap(([, literals = '', name]) => {
      const list =
        name === undefined ? literals : (new RegExp(`const ${name} = \\[([^\\]]*)\\]`).exec(text)?.[1] ?? '');
      return [...list.matchAll(/'([^']+)'/g)].map(([, each = '']) => each);
    });
  });
  const page = read('docs/dependencies.md');
  assert.ok(new Set(installed).size > 30);
  assert.deepEqual(
    installed.filter((name) => !page.includes(`\`${name}\``)),
    [],
  );
});

test('figures are those of the code', () => {
  for (const [page, said, file, decided] of FIGURES) {
    assert.ok(oneLine(read(page)).includes(said), `${page} does not say: ${said}`);
    assert.ok(oneLine(read(file)).includes(decided), `${page} says ${said}, but ${file} has not ${decided}`);
  }
});

test('counts are those of what is counted', () => {
  const lines = (path: string): number => read(path).split('\n').length - 1;
  const dbus = lines('src/daemon/dbus_message.ts') + lines('src/daemon/dbus_connection.ts');
  for (const [page, pattern, count, tolerance] of [
    ['README.md', /same (\d+) collectors/, collectors.length, 0],
    ['CHANGELOG.md', /All of its (\d+) collectors/, collectors.length, 0],
    ['docs/perf.md', /One descriptor for each event and CPU \((\d+) with everything on\)/, CATALOG.length, 0],
    ['docs/perf.md', /\| descriptors for each CPU \| 35, five of them never exported \| (\d+) \|/, CATALOG.length, 0],
    ['docs/dependencies.md', /are our own, (\d+) lines/, dbus, 20],
  ] as const) {
    const [, said] = pattern.exec(oneLine(read(page))) ?? [];
    assert.ok(Math.abs(Number(said) - count) <= tolerance, `${page}: ${said}, counted ${count}`);
  }
});

test('the README has the figures of docs/performance.md', () => {
  const [, own, theirs] =
    /about a third of the CPU time.*?about (\d+) MiB of its own, where node_exporter takes (\d+)/.exec(
      oneLine(read('README.md')),
    ) ?? [];
  const cells =
    /^\| this machine, a scrape every half second \|(.*)\|$/m.exec(read('docs/performance.md'))?.[1]?.split('|') ?? [];
  const ratio = Number(cells[2]?.replaceAll('*', ''));
  assert.ok(ratio > 0.27 && ratio < 0.4, `${ratio}`);
  assert.equal(cells.at(-1)?.trim(), `${own} / ${theirs}`);
});

test('the web configuration of docs/http.md is taken', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-documented-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const [from, to] of [
    ['server.crt', 'server.crt'],
    ['server.key', 'server.key'],
    ['ca.crt', 'clients.crt'],
  ] as const)
    cpSync(join(FIXTURES, 'tls', from), join(folder, to));
  const [block] = blocksOf('docs/http.md').filter(({ language }) => language === 'yaml');
  assert.ok(block !== undefined);
  writeFileSync(join(folder, 'web.yml'), block.text.replace('$2y$10$…', hashSync('secret', 4)));
  const { tls, users, rateLimit } = await checkWebConfig(join(folder, 'web.yml'));
  assert.deepEqual({ tls, users, rateLimit }, { tls: true, users: 1, rateLimit: true });
});

test('the groups of rules that docs/monitoring.md names are those of the files', () => {
  const groups = globSync('deploy/prometheus/*.yml', { cwd: ROOT }).flatMap((file) =>
    (parse(read(file)) as { groups: { name: string }[] }).groups.map(({ name }) => name),
  );
  const [, said = ''] = /the groups (.*?) under/.exec(oneLine(read('docs/monitoring.md'))) ?? [];
  const patterns = [...said.matchAll(/`([^`]+)`/g)].map(([, name = '']) => new RegExp(`^${name.replace('*', '.+')}$`));
  assert.ok(patterns.length > 1);
  for (const group of groups)
    assert.ok(
      patterns.some((pattern) => pattern.test(group)),
      group,
    );
  for (const pattern of patterns)
    assert.ok(
      groups.some((group) => pattern.test(group)),
      `${pattern}`,
    );
});

test('docs/monitoring.md says of each alert which flag it needs, where its collector is off by default', () => {
  const { groups } = parse(read('deploy/prometheus/node-alerts.yml')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  const page = oneLine(read('docs/monitoring.md'));
  const needs = groups
    .flatMap(({ rules }) => rules)
    .flatMap(({ alert, expr }) =>
      collectors
        .filter(({ enabled, name }) => !enabled && new RegExp(`\\bnode_${name}_`).test(expr))
        .map(({ name }) => ({ alert, name })),
    );
  assert.ok(needs.length > 1);
  for (const { alert, name } of needs)
    assert.match(page, new RegExp(`\\\`${alert}\\\` needs \\\`--collector\\.${name}\\b`), alert);
});

test('upstream’s file systems in docs/from-node-exporter.md are the flag’s own', () => {
  const name = 'collector.filesystem.mount-points-exclude';
  assert.ok(read('docs/from-node-exporter.md').includes(`--${name}=${flagNamed(name).fallback[0]}`));
});
