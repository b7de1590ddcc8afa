/** One family of a scrape: values by the text of its labels, `` where there are none. */
export interface ScrapedFamily {
  type: string;
  readonly samples: Map<string, number>;
}

/** Parses the text format, for tests: what a scrape holds, family by family. */
export function parseExposition(text: string): Map<string, ScrapedFamily> {
  const families = new Map<string, ScrapedFamily>();
  const family = (name: string): ScrapedFamily => {
    let found = families.get(name);
    if (found === undefined) {
      found = { type: 'untyped', samples: new Map() };
      families.set(name, found);
    }
    return found;
  };
  for (const line of text.split('\n')) {
    if (line.startsWith('# TYPE ')) {
      const [, , name, type] = line.split(' ') as [string, string, string, string];
      family(name).type = type;
    } else if (line !== '' && !line.startsWith('#')) {
      const cut = line.lastIndexOf(' ');
      const series = line.slice(0, cut);
      const brace = series.indexOf('{');
      const name = brace < 0 ? series : series.slice(0, brace);
      family(name).samples.set(brace < 0 ? '' : series.slice(brace), numberOf(line.slice(cut + 1)));
    }
  }
  return families;
}

const numberOf = (text: string): number =>
  text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
