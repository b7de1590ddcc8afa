/**
 * Names and texts of the kernel are bytes. Where a path may be anything, it is held as one character per byte (latin1), and
 * becomes text only as a label.
 */

const REPLACEMENT = '\uFFFD';
const isOther = /[\x80-\xff]/;

/** How many bytes of UTF-8 begin at `at`; 0 where none do. RFC 3629. */
function sequenceBytes(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at] as number;
  if (lead < 0x80) return 1;
  const count = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + count > end) return 0;
  for (let i = 1; i < count; i += 1) if (((bytes[at + i] as number) & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1] as number;
  const tooLow = (lead === 0xe0 && second < 0xa0) || (lead === 0xf0 && second < 0x90);
  const tooHigh = (lead === 0xed && second > 0x9f) || (lead === 0xf4 && second > 0x8f);
  return tooLow || tooHigh ? 0 : count;
}

/** Decodes UTF-8, with one U+FFFD for each run of bytes that are none, as the reference does. */
export function decodeUtf8(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = bytes.toString('utf8', start, end);
  // The kernel's own U+FFFD are left as they are.
  if (!text.includes(REPLACEMENT)) return text;
  let decoded = '';
  let good = start;
  for (let at = start; at < end; ) {
    const count = sequenceBytes(bytes, at, end);
    if (count > 0) {
      at += count;
      continue;
    }
    decoded += bytes.toString('utf8', good, at) + REPLACEMENT;
    while (at < end && sequenceBytes(bytes, at, end) === 0) at += 1;
    good = at;
  }
  return decoded + bytes.toString('utf8', good, end);
}

/** The text of a name that holds one character per byte. */
export const decodeName = (name: string): string =>
  isOther.test(name) ? decodeUtf8(Buffer.from(name, 'latin1')) : name;

const isBeyondAscii = /[^\0-\x7f]/;

/** The bytes of a text, one per character: of a path that a flag names, of a word that is a part of one. */
export const bytesOf = (text: string): string =>
  isBeyondAscii.test(text) ? Buffer.from(text).toString('latin1') : text;

/** What Node takes as the path of these bytes. */
export const pathOf = (name: string): string | Buffer => (isOther.test(name) ? Buffer.from(name, 'latin1') : name);
