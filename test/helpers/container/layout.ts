import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { gunzipSync } from 'node:zlib';

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly platform?: { readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export const ARCHITECTURE = process.arch === 'arm64' ? 'arm64' : 'amd64';

/** An OCI image layout in a folder. https://github.com/opencontainers/image-spec/blob/main/image-layout.md */
export interface ImageLayout {
  readonly tags: readonly string[];
  /** What the tags name; the same for all. */
  readonly digest: string;
  config(architecture?: string): { readonly config: Record<string, unknown> };
  /** The files of the layers, the lowest first. */
  layers(architecture?: string): string[];
}

export function openLayout(folder: string): ImageLayout {
  const blob = (digest: string): string => join(folder, 'blobs', digest.replace(':', '/'));
  const read = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;
  const named = read<{ manifests: Descriptor[] }>(join(folder, 'index.json')).manifests;
  const [first] = named;
  if (first === undefined) throw new Error(`${folder}: no image`);
  const manifest = (architecture: string): { config: Descriptor; layers: Descriptor[] } => {
    const top = read<{ manifests?: Descriptor[]; config: Descriptor; layers: Descriptor[] }>(blob(first.digest));
    const found = top.manifests?.find(({ platform }) => platform?.architecture === architecture);
    return top.manifests === undefined ? top : read(blob((found as Descriptor).digest));
  };
  return {
    tags: named.map(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] ?? ''),
    digest: first.digest,
    config: (architecture = ARCHITECTURE) => read(blob(manifest(architecture).config.digest)),
    layers: (architecture = ARCHITECTURE) => manifest(architecture).layers.map(({ digest }) => blob(digest)),
  };
}

export function unpackArchive(archive: string, folder: string): ImageLayout {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  return openLayout(folder);
}

/** Unpacks the layers, with file capabilities: needs root. */
export function unpackLayers(layers: readonly string[], rootfs: string): void {
  mkdirSync(rootfs, { recursive: true });
  for (const layer of layers)
    execFileSync('tar', ['--xattrs', '--xattrs-include=security.capability', '-xzf', layer, '-C', rootfs]);
}

/** `cap_perfmon=p` as the record of an extended attribute. */
const RECORD = Buffer.concat([
  Buffer.from('SCHILY.xattr.security.capability='),
  Buffer.from('0000000200000000000000004000000000000000', 'hex'),
  Buffer.from('\n'),
]);

export const hasCapability = (layers: readonly string[]): boolean =>
  layers.some((layer) => gunzipSync(readFileSync(layer)).includes(RECORD));
