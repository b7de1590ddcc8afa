// The licences of what the executable holds that is not Keyhole's own: the libraries in its bundle, and Node.js with all that is in that.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('../', import.meta.url).pathname;

interface Manifest {
  readonly version: string;
  readonly license: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;

/** The licence files of a package, one after the other. A package without any must not be shipped. */
function textIn(folder: string): string {
  const names = readdirSync(folder).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
  if (names.length === 0) throw new Error(`${folder} has no licence`);
  return names
    .sort()
    .map((name) => readFileSync(join(folder, name), 'utf8').trim())
    .join('\n\n');
}

/** The packages that are bundled: the dependencies, and what they depend on in turn. */
function bundled(names: Iterable<string>, found = new Set<string>()): ReadonlySet<string> {
  for (const name of names) {
    if (found.has(name)) continue;
    found.add(name);
    bundled(Object.keys(manifestIn(join(root, 'node_modules', name)).dependencies ?? {}), found);
  }
  return found;
}

const RULE = '='.repeat(80);
const INTRO = `Keyhole is licensed under the Apache License 2.0. The executable also holds what
follows, each under a licence of its own.`;

/** The text that goes with the executable; `node` is that of the pinned npm package. */
export function licences(node: string): string {
  const parts = [...bundled(Object.keys(manifestIn(root).dependencies ?? {}))].sort().map((name) => {
    const folder = join(root, 'node_modules', name);
    const { version, license } = manifestIn(folder);
    return [`${name} ${version} (${license})`, textIn(folder)] as const;
  });
  const folder = join(node, '../..');
  const all = [...parts, [`Node.js ${manifestIn(folder).version}`, textIn(folder)] as const];
  return [INTRO, ...all.map(([title, text]) => `${RULE}\n${title}\n${RULE}\n\n${text}`)].join('\n\n').concat('\n');
}
