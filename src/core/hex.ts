const HEX = /^[0-9a-fA-F]{1,16}$/;

/** A hexadecimal integer of up to 64 bits, without a prefix, as the nearest double; `undefined` for anything else. */
export const hex = (text: string | undefined): number | undefined =>
  text !== undefined && HEX.test(text) ? Number.parseInt(text, 16) : undefined;
