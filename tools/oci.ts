// The OCI image format, as far as one image for several platforms needs it. https://github.com/opencontainers/image-spec
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { finished } from 'node:stream/promises';
import { pack } from 'tar-stream';

/** One entry of a layer. Owners are root, all times are one: two builds give the same bytes. */
export interface TarEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'link' | 'symlink';
  readonly mode: number;
  readonly linkname?: string;
  readonly content?: Buffer;
  /** Extended attributes as PAX records; values are bytes below 0x80, as PAX texts are UTF-8. */
  readonly pax?: Readonly<Record<string, string>>;
}

export async function tar(entries: readonly TarEntry[], mtime = new Date(0)): Promise<Buffer> {
  const archive = pack();
  const chunks: Buffer[] = [];
  archive.on('data', (chunk: Buffer) => chunks.push(chunk));
  for (const { content = Buffer.alloc(0), pax, linkname, ...entry } of entries) {
    const header = { ...entry, uid: 0, gid: 0, mtime, size: content.length };
    // The declarations of the library lack `pax`, which it documents and takes.
    archive.entry(
      { ...header, ...(linkname === undefined ? {} : { linkname }), ...(pax === undefined ? {} : { pax }) },
      content,
    );
  }
  archive.finalize();
  await finished(archive);
  return Buffer.concat(chunks);
}

const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Layout {
  /** Keeps bytes under their digest. */
  add(mediaType: string, bytes: Buffer): Descriptor;
  addJson(mediaType: string, value: unknown): Descriptor;
  /** The archive, with an index that names `entries`. */
  archive(entries: readonly unknown[]): Promise<Buffer>;
}

export function createLayout(): Layout {
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = sha256(bytes);
    blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const file = (name: string, content: Buffer): TarEntry => ({ name, type: 'file', mode: 0o644, content });
  return {
    add,
    addJson: (mediaType, value) => add(mediaType, Buffer.from(JSON.stringify(value))),
    archive(entries) {
      const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: entries };
      return tar([
        file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')),
        file('index.json', Buffer.from(JSON.stringify(index))),
        ...[...blobs.keys()]
          .sort()
          .map((digest) => file(`blobs/${digest.replace(':', '/')}`, blobs.get(digest) as Buffer)),
      ]);
    },
  };
}

export interface Layer {
  readonly descriptor: Descriptor;
  /** The digest of the layer before compression. */
  readonly diffId: string;
}

export function addLayer(layout: Layout, bytes: Buffer): Layer {
  // Not Node's own zlib: that is tuned for speed, and three percent larger at its best.
  const compressed = execFileSync('gzip', ['-9', '-n'], { input: bytes, maxBuffer: bytes.length });
  return {
    descriptor: layout.add('application/vnd.oci.image.layer.v1.tar+gzip', compressed),
    diffId: sha256(bytes),
  };
}

export const readEntry = (name: string, mode: number, path: string): TarEntry => ({
  name,
  type: 'file',
  mode,
  content: readFileSync(path),
});
