/**
 * Makes one U+FFFD of each run of them. Decoding gives one for every byte that is not UTF-8; the reference gives one for a
 * run of such bytes, and label values have to be the same.
 */
export const joinReplacements = (text: string): string =>
  text.includes('\uFFFD') ? text.replace(/\uFFFD+/g, '\uFFFD') : text;
