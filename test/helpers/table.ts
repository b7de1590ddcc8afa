import type { Collect, Turn } from '../../src/core/host.ts';
import { Samples } from '../../src/core/samples.ts';
import { createSource, type Source, type SourceOptions } from '../../src/source/source.ts';
import { render } from './render.ts';

export const never: Turn = { signal: new AbortController().signal, leftMs: () => 1000, pause: () => undefined };

/** What a part wrote: everything that anybody can see of it. */
export interface Ran {
  readonly text: string;
  readonly faults: readonly string[];
  readonly passedOver: readonly string[];
  readonly thrown: string | undefined;
}

/** Runs a part that waits for nothing, again and again. */
export function runner(part: Collect, turn = never): () => Ran {
  const passedOver: string[] = [];
  const samples = new Samples((what) => passedOver.push(what));
  return () => {
    samples.begin();
    let thrown: string | undefined;
    try {
      const work = part(samples, turn);
      if (work !== undefined) throw new Error('it waits');
    } catch (error) {
      thrown = String(error);
    }
    samples.close();
    const { text } = render([samples]);
    return { text, faults: samples.faults.map(String), passedOver: [...passedOver], thrown };
  };
}

/** A part over a source; `scrape` follows what was laid out, `fresh` lays it out in another process. */
export function livesOf(options: SourceOptions, partOf: (source: Source) => Collect) {
  const prepare = () => {
    const source = createSource(options);
    const run = runner(partOf(source));
    const scrape = (): Ran => {
      source.clock.begin();
      return run();
    };
    return { source, scrape };
  };
  const { source, scrape } = prepare();
  return { source, scrape, fresh: (): Ran => prepare().scrape(), layouts: (): number => source.clock.layouts };
}
