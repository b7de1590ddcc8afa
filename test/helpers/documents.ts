// The pages as tests see them: their code, and the commands in it.
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const ROOT = new URL('../../', import.meta.url).pathname;
export const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

export const pages = globSync(['*.md', 'docs/*.md', 'deploy/**/*.md'], { cwd: ROOT }).sort();
export const generatedPages: readonly string[] = ['docs/flags.md', 'docs/kernel-files.md', 'docs/metrics.md'];
export const pagesByHand = pages.filter((page) => !generatedPages.includes(page));

export interface Code {
  readonly page: string;
  readonly language: string;
  readonly text: string;
}

const FENCED = /^( *)```(\w*)\n(.*?)^\1```$/gms;

/** The fenced blocks of a page. */
export const blocksOf = (page: string): Code[] =>
  [...read(page).matchAll(FENCED)].map(([, indent = '', language = '', text = '']) => ({
    page,
    language,
    text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  }));

/** What stands in backquotes in a page's sentences and tables. */
export const wordsOf = (page: string): Code[] =>
  [
    ...read(page)
      .replaceAll(FENCED, '')
      .matchAll(/`([^`\n]+)`/g),
  ].map(([, text = '']) => ({
    page,
    language: 'word',
    text: text.replaceAll('\\|', '|'),
  }));

/** Programs whose name and arguments in backquotes are a command. */
const PROGRAM =
  /^(apt|chgrp|curl|dnf|helm|journalctl|keyhole|kubectl|mount|node_modules\/\S+|npm|oc|rpm|setcap|skopeo|strace|sysctl|systemctl|systemd-\w+|tar|trivy|[A-Z][A-Z_0-9]+=\S+ \w+) \S/;

/** Every command in the pages, without its remark; what has `…` or `<…>` in it stands for many. */
export const commandsIn = (from: readonly string[]): Code[] =>
  from.flatMap((page) => {
    const lines = blocksOf(page)
      .filter(({ language }) => language === 'sh')
      .flatMap(({ text }) => text.trimEnd().split('\n'));
    const words = wordsOf(page).flatMap(({ text }) => (PROGRAM.test(text) && !/…|<.*>/.test(text) ? [text] : []));
    return [...lines, ...words].map((text) => ({ page, language: 'sh', text: text.replace(/\s+#\s.*/, '').trim() }));
  });
