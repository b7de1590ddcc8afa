/** What the query of a scrape asks for. */
export interface Filter {
  /** The collectors to run; `undefined` for all that are enabled. */
  readonly collectors: readonly string[] | undefined;
  /** The only families to show; `undefined` for all. */
  readonly families: ReadonlySet<string> | undefined;
}

export interface Known {
  readonly enabled: readonly string[];
  /** Collectors that exist but do not run. */
  readonly disabled: readonly string[];
}

const failed = (why: string): string => `Couldn't create filtered metrics handler: couldn't create collector: ${why}`;

/** The pairs of a query. Those that Go's `url.ParseQuery` cannot read are passed over, as it does. */
export const parseQuery = (query: string): URLSearchParams =>
  new URLSearchParams(
    query
      .split('&')
      .filter((pair) => !pair.includes(';') && !/%(?![0-9a-f]{2})/i.test(pair))
      .join('&'),
  );

/** Reads `collect[]`, `exclude[]` and `name[]`. A text is what is wrong with them: the body of a status 400. */
export function parseFilter(query: URLSearchParams, { enabled, disabled }: Known): Filter | string {
  const collect = query.getAll('collect[]');
  const exclude = query.getAll('exclude[]');
  const names = query.getAll('name[]');
  const families = names.length === 0 ? undefined : new Set(names);
  if (collect.length > 0 && exclude.length > 0) return 'Combined collect and exclude queries are not allowed.';
  for (const name of collect) {
    if (enabled.includes(name)) continue;
    return failed(`${disabled.includes(name) ? 'disabled' : 'missing'} collector: ${name}`);
  }
  if (collect.length > 0) return { collectors: [...new Set(collect)].sort(), families };
  if (exclude.length > 0) return { collectors: enabled.filter((name) => !exclude.includes(name)), families };
  return { collectors: undefined, families };
}
