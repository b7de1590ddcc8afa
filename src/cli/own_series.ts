import { messageOf } from '../core/errors.ts';
import type { ParsedFlags } from '../core/flag.ts';
import { fetchText } from './compare.ts';
import { programFlags } from './flags.ts';
import { type Found, seriesIn } from './locate.ts';

/** What the exporter that serves says of itself: it is asked where the flags say that it listens. */
export async function ownSeries(
  parsed: ParsedFlags,
  name: string,
  labels: ReadonlyMap<string, string>,
): Promise<Found> {
  const [address = ''] = parsed.valueOf(programFlags.listenAddress);
  const host = address.startsWith(':') ? `localhost${address}` : address;
  const place = `http://${host}${parsed.valueOf(programFlags.telemetryPath)}`;
  try {
    const text = await fetchText(new URL(place), false);
    if (!/^keyhole_/m.test(text)) return { series: [], why: `what answers at ${place} is another exporter` };
    return { series: seriesIn(text, name, labels), why: undefined };
  } catch (error) {
    return { series: [], why: `${place}: ${messageOf(error) || (error as NodeJS.ErrnoException).code}` };
  }
}
