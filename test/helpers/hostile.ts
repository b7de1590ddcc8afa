import type { Tree } from '../../src/core/host.ts';
import { lines } from '../../src/core/text.ts';

/** What can be wrong with a kernel's tree; `seed` chooses where. */
export type Mutation = 'truncated' | 'repeated' | 'shuffled' | 'bit-flipped' | 'emptied' | 'ghosts' | 'unreadable';

export const MUTATIONS: readonly Mutation[] = [
  'truncated',
  'repeated',
  'shuffled',
  'bit-flipped',
  'emptied',
  'ghosts',
  'unreadable',
];

/** A small generator of numbers below `limit`; the same seed gives the same numbers. */
function numbers(seed: number): (limit: number) => number {
  let state = seed | 1;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return limit === 0 ? 0 : Math.floor((state / 2 ** 32) * limit);
  };
}

function shuffle<T>(items: readonly T[], next: (limit: number) => number): T[] {
  const all = [...items];
  for (let i = all.length - 1; i > 0; i -= 1) {
    const j = next(i + 1);
    [all[i], all[j]] = [all[j] as T, all[i] as T];
  }
  return all;
}

function flipBits(text: string, next: (limit: number) => number): string {
  const bytes = Buffer.from(text);
  for (let flips = 1 + next(3); flips > 0 && bytes.length > 0; flips -= 1) {
    const at = next(bytes.length);
    bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << next(8)), at);
  }
  return bytes.toString('utf8');
}

function mutate(text: string, mutation: Mutation, next: (limit: number) => number): string {
  switch (mutation) {
    case 'truncated':
      return text.slice(0, next(text.length + 1));
    case 'repeated':
      return text.repeat(2 + next(2));
    case 'shuffled':
      return next(2) === 0
        ? `${shuffle(lines(text), next).join('\n')}\n`
        : lines(text)
            .map((line) => `${shuffle(line.split(' '), next).join(' ')}\n`)
            .join('');
    case 'bit-flipped':
      return flipBits(text, next);
    case 'emptied':
      return '';
    case 'ghosts':
    case 'unreadable':
      return text;
  }
}

const refusal = (code: string, path: string): Error =>
  Object.assign(new Error(`${code}: refused, '${path}'`), { code });

/** The tree as seen through a fault. */
export function hostile(tree: Tree, mutation: Mutation, seed: number): Tree {
  const next = numbers(seed);
  const text = (read: (path: string) => string) => (path: string) => {
    if (mutation === 'unreadable' && next(3) === 0)
      throw refusal(['EACCES', 'EIO', 'ENODEV', 'EINVAL'][next(4)] as string, path);
    return mutate(read(path), mutation, next);
  };
  const attribute = (path: string): string | undefined => {
    const value = tree.attribute(path);
    return value === undefined ? undefined : text(() => value)(path).trim();
  };
  return {
    ...tree,
    read: text(tree.read),
    readOnce: text(tree.readOnce),
    attribute,
    keep: (folder) => ({ attribute: (name) => attribute(`${folder}/${name}`), close() {} }),
    list: (path) => (mutation === 'ghosts' ? [...tree.list(path), 'ghost0', '-1', 'cpu99999'] : tree.list(path)),
    link: (path) => text(tree.link)(path),
  };
}
