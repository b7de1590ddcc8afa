import assert from 'node:assert/strict';
import { gunzipSync } from 'node:zlib';
import type { Packer } from '../../src/page/gzip.ts';
import type { Page } from '../../src/page/page.ts';

/** Holds that what was compressed of a page is its text. */
export function assertPacked(packer: Packer, page: Page, text: Buffer): void {
  const packed = packer.pack({ text, segments: page.segments, numbers: page.numbers }, () => undefined);
  assert.ok(Buffer.isBuffer(packed), 'nothing has to be waited for');
  assert.ok(gunzipSync(packed).equals(text));
}
