interface Clause {
  readonly value: string;
  readonly quality: number;
  readonly parameters: ReadonlyMap<string, string>;
}

const CLAUSES_MAX = 64;

/** Splits a header such as `text/plain;version=0.0.4;q=0.5, text/html`. What cannot be read as a quality counts as 1. */
function clausesOf(header: string): Clause[] {
  return header
    .split(',', CLAUSES_MAX)
    .map((part) => {
      const [value = '', ...rest] = part.split(';').map((piece) => piece.trim());
      const parameters = new Map(
        rest.map((pair): [string, string] => {
          const equals = pair.indexOf('=');
          const name = equals < 0 ? pair : pair.slice(0, equals);
          return [name.trim().toLowerCase(), equals < 0 ? '' : pair.slice(equals + 1).trim()];
        }),
      );
      const q = parameters.get('q');
      const quality = q === undefined || !/^[0-9]*\.?[0-9]+$|^[0-9]+\.$/.test(q) ? 1 : Math.min(Number(q), 1);
      return { value: value.toLowerCase(), quality, parameters };
    })
    .filter(({ value }) => value !== '');
}

/** Whether `Accept-Encoding` prefers gzip to plain text. On a tie it does not, so that `*` and `gzip, identity` get plain text. */
export function prefersGzip(header: string | undefined): boolean {
  if (header === undefined) return false;
  const qualities = new Map<string, number>();
  for (const { value, quality } of clausesOf(header)) if (!qualities.has(value)) qualities.set(value, quality);
  const any = qualities.get('*');
  const gzip = qualities.get('gzip') ?? any ?? 0;
  // A coding that is not named at all is less wanted than any that is named with a quality above 0.
  const identity = qualities.get('identity') ?? any ?? 0;
  return gzip > identity;
}

const ESCAPINGS: readonly string[] = ['allow-utf-8', 'underscores', 'values'];

/**
 * The `escaping` parameter of the answer. Every name that Keyhole gives is of the old character set, so all of `ESCAPINGS`
 * describe it truthfully; of those, the one that the first clause of `Accept` by quality names is echoed.
 */
export function escapingOf(accept: string | undefined): string {
  let escaping = 'underscores';
  if (accept === undefined) return escaping;
  for (const { value, parameters } of clausesOf(accept).sort((a, b) => b.quality - a.quality)) {
    const wanted = parameters.get('escaping');
    if (wanted !== undefined && ESCAPINGS.includes(wanted)) escaping = wanted;
    const version = parameters.get('version') ?? '';
    if (value === 'text/plain' && (version === '' || version === '0.0.4')) break;
  }
  return escaping;
}
