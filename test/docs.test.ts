import assert from 'node:assert/strict';
import { existsSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { declare, parseCommandLine } from '../src/cli/command_line.ts';
import { collectors } from '../src/collectors/index.ts';
import type { AnyCollector } from '../src/core/assemble.ts';
import { pages, pagesByHand, ROOT, read } from './helpers/documents.ts';
import { scrape, tree } from './helpers/scrape.ts';

const deployed = globSync('deploy/**/*', { cwd: ROOT, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => join(parentPath, name).slice(ROOT.length));

/** The name by which a heading is linked to, as forges make it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-');
const anchorsIn = (page: string): string[] =>
  [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));

/** What is wrong with a link on a page, if anything is. */
function faultOf(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#') as [string, string?];
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(ROOT, target))) return `${page}: ${link}: there is no ${target}`;
  return anchor === undefined || anchorsIn(target).includes(anchor) ? undefined : `${page}: ${link}: no such heading`;
}

interface Found {
  readonly page: string;
  readonly match: RegExpExecArray;
}

/** Every place in these pages that looks so. */
function everywhere(files: readonly string[], pattern: RegExp, text = read): Found[] {
  const found = files.flatMap((page) => [...text(page).matchAll(pattern)].map((match) => ({ page, match })));
  assert.ok(found.length > 10, `${pattern} is hardly anywhere`);
  return found;
}

test('every link leads somewhere', () => {
  const faults = everywhere(pages, /\]\(([^)\s]+)\)/g)
    .filter(({ match: [, link = ''] }) => !/^https?:/.test(link))
    .map(({ page, match: [, link = ''] }) => faultOf(page, link));
  assert.deepEqual(
    faults.filter((fault) => fault !== undefined),
    [],
  );
});

test('the files that pages name in backquotes are there', () => {
  // Those with `<…>` or `*` in them stand for many.
  const named = everywhere(pagesByHand, /`((?:src|test|docs|deploy|tools|bench|\.ci)\/[^`\s<*]*)`/g);
  const missing = named.filter(({ match: [, path = ''] }) => !existsSync(join(ROOT, path)));
  assert.deepEqual(
    missing.map(({ page, match: [, path] }) => `${page}: ${path}`),
    [],
  );
});

test('the README leads to every page', () => {
  const readme = read('README.md');
  for (const page of pages.filter((path) => path !== 'README.md')) assert.ok(readme.includes(`(${page})`), page);
});

const declared = declare(collectors);
const flagNames = new Set(declared.flags.flatMap(({ name }) => [name, `no-${name}`]));
const OURS = /^(no-)?(collector|log|path|privilege|runtime|web)\./;

/** `--a.{b,c}-d` stands for two flags. */
function spread(text: string): string[] {
  const [whole, start = '', choices = '', end = ''] = /^(.*?)\{([^}]*)\}(.*)$/.exec(text) ?? [];
  return whole === undefined ? [text] : choices.split(',').flatMap((choice) => spread(start + choice + end));
}

test('every flag is declared', () => {
  const faults: string[] = [];
  for (const { page, match } of everywhere([...pagesByHand, ...deployed], /(?<![\w-])--([a-z][\w.{},-]*\w)(.)?/g)) {
    const [, text = '', next] = match;
    // Of `--collector.<name>` only the beginning is a text of ours.
    const names = next === '<' ? [] : spread(text).filter((name) => OURS.test(name));
    faults.push(...names.filter((name) => !flagNames.has(name)).map((name) => `${page}: --${name}`));
  }
  assert.deepEqual(faults, []);
});

test('what is deployed starts with a command line that is taken', () => {
  const ours = deployed.filter((file) => /\/(daemonset\.yaml|helm-values\.yaml|keyhole\.service)$/.test(file));
  assert.equal(ours.length, 3);
  for (const file of ours) {
    const text = read(file);
    const listed = [...text.matchAll(/^\s*- (--\S+)$/gm)].map(([, arg = '']) => arg);
    const started = [...text.matchAll(/^Environment="KEYHOLE_DEFAULTS=(.*)"$/gm)].flatMap(([, args = '']) =>
      args.split(' '),
    );
    const argv = [...listed, ...started];
    assert.ok(argv.includes('--collector.perf'), file);
    assert.doesNotThrow(() => parseCommandLine({ program: 'keyhole', argv, env: {} }, declared), file);
  }
});

/** As docs/metrics.md has them, which is made from the declarations; `<…>` is any text. */
const names = [...read('docs/metrics.md').matchAll(/^\| `([a-z]+_[^`]*)` \|/gm)].map(([, name = '']) => name);
const isDeclared = (name: string): boolean =>
  names.some((each) => new RegExp(`^${each.replace(/<[^>]*>/g, '\\w+')}(_bucket|_count|_sum)?$`).test(name));

test('every metric is declared', () => {
  const withoutExamples = (page: string): string => read(page).replace(/^```ts$.*?^```$/gms, '');
  // Behind a colon it is a part of a recorded name.
  const pattern = /(?<![\w:])((?:node|keyhole|nodejs|promhttp)_\w*)([*<]|\.\w)?/g;
  const faults = everywhere([...pagesByHand, ...deployed], pattern, withoutExamples).filter(({ match }) => {
    const [, name = '', rest = ''] = match;
    if (/^node_(exporter|modules)$/.test(name) || rest.startsWith('.')) return false;
    return rest === '' && !name.endsWith('_') ? !isDeclared(name) : !names.some((each) => each.startsWith(name));
  });
  assert.deepEqual(
    faults.map(({ page, match: [text] }) => `${page}: ${text}`),
    [],
  );
});

test('docs/dependencies.md has a paragraph on every dependency', () => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
    string,
    Record<string, string>
  >;
  const headings = [...read('docs/dependencies.md').matchAll(/^### (.*)$/gm)].flatMap(([, text = '']) =>
    text.split(/,| and /).map((word) => word.trim()),
  );
  const wanted = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies });
  assert.deepEqual(
    wanted.filter((name) => !headings.includes(name)),
    [],
  );
});

/** The code in a page's block that begins with this comment. */
function example(page: string, path: string): string {
  const [, code] = new RegExp(`^\`\`\`ts\\n// ${path}\\n(.*?)^\`\`\`$`, 'ms').exec(read(page)) ?? [];
  assert.ok(code !== undefined, `${page} has no ${path}`);
  return code;
}

test('the collectors in CONTRIBUTING.md work', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyhole-docs-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const collectorOf = async (name: string): Promise<AnyCollector> => {
    const code = example('CONTRIBUTING.md', `src/collectors/${name}.ts`).replaceAll("'../core/", `'${ROOT}src/core/`);
    writeFileSync(join(folder, `${name}.ts`), code);
    return ((await import(join(folder, `${name}.ts`))) as { default: AnyCollector }).default;
  };
  const inodes = await collectorOf('inodes');
  const { text } = await scrape(inodes, { root: tree(t, { 'proc/sys/fs/inode-nr': '51833\t10482\n' }) });
  assert.match(text, /^node_inodes_allocated 51833$/m);
  assert.match(text, /^node_inodes_free 10482$/m);
  const broken = await scrape(inodes, { root: tree(t, { 'proc/sys/fs/inode-nr': '51833\n' }) });
  assert.match(String(broken.error), /inode-nr: cannot parse/);
  const screen = { 'sys/class/backlight/panel/brightness': '70\n', 'sys/class/backlight/panel/type': 'raw\n' };
  const bright = await scrape(await collectorOf('backlight'), { root: tree(t, screen) });
  assert.match(bright.text, /^node_backlight_brightness\{device="panel",type="raw"\} 70$/m);
  const pids = await scrape(await collectorOf('pid_max'), { root: tree(t, { 'proc/sys/kernel/pid_max': '32768\n' }) });
  assert.match(pids.text, /^node_pid_max 32768$/m);
});
