import { dirname, resolve } from 'node:path';
import { isRefusal, UsageError } from '../core/errors.ts';
import { readRegularFile } from './regular_file.ts';

const FILE_KEY = /\b(?:cert|key|client_ca)_file["']?\s*:\s*["']?([^"',}#\n]+)/g;
const CONFIG_BYTES_MAX = 1 << 20;

/** A pipe or a device would hold the start until somebody writes to it, or for ever. */
function textOf(path: string): string {
  try {
    return readRegularFile(path, CONFIG_BYTES_MAX);
  } catch (error) {
    if (!(error instanceof UsageError || isRefusal(error))) throw error;
    return '';
  }
}

/**
 * The files that serving by this web configuration reads: itself, certificates, keys. Only looked for, not checked, so that
 * this needs no YAML: what is wrong with the file is reported when it is opened.
 */
export function webFiles(path: string): string[] {
  if (path === '') return [];
  const named = [...textOf(path).matchAll(FILE_KEY)].map((match) => (match[1] as string).trim());
  return [resolve(path), ...named.map((file) => resolve(dirname(path), file))];
}
