import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { optional } from '../core/errors.ts';

const FILE_KEY = /\b(?:cert|key|client_ca)_file["']?\s*:\s*["']?([^"',}#\n]+)/g;
const CONFIG_BYTES_MAX = 1 << 20;

/**
 * The files that serving by this web configuration reads: itself, certificates, keys. Only looked for, not checked, so that
 * this needs no YAML: what is wrong with the file is reported when it is opened.
 */
export function webFiles(path: string): string[] {
  if (path === '') return [];
  const text = optional(() => readFileSync(path, 'utf8'), ['ENOENT', 'ENOTDIR', 'EACCES', 'EISDIR', 'ELOOP']) ?? '';
  const named = [...text.slice(0, CONFIG_BYTES_MAX).matchAll(FILE_KEY)].map((match) => (match[1] as string).trim());
  return [resolve(path), ...named.map((file) => resolve(dirname(path), file))];
}
