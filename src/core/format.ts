/**
 * Formats a number as Go's `strconv.FormatFloat(value, 'g', -1, 64)` does, so that
 * a scrape can be compared byte for byte with the reference exporter's.
 */
export function formatFloat(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude < 1e6 && (magnitude >= 1e-4 || magnitude === 0)) return `${value}`;
  if (Number.isFinite(value)) {
    const text = value.toExponential();
    const exponent = text.indexOf('e') + 2;
    return text.length - exponent === 1 ? `${text.slice(0, exponent)}0${text.slice(exponent)}` : text;
  }
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}

const UNSAFE = /[\\"\n]/;
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '"': '\\"', '\n': '\\n' };

/** Escapes a label value; nearly none needs it, so the test comes first. */
export const escapeLabel = (value: string): string =>
  UNSAFE.test(value) ? value.replace(/[\\"\n]/g, (char) => ESCAPES[char] as string) : value;

export const escapeHelp = (help: string): string => help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
