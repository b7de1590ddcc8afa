// The script of the status page. It asks for nothing but the page and the metrics of its own exporter, and only while
// somebody looks.
import { type Chart, createChart } from './chart.ts';
import { parseSamples, type Samples } from './exposition.ts';
import { FIGURES, queryOf } from './figures.ts';

const EVERY_MS = 2000;
const EVERY_MS_MAX = 60_000;
/** The table of collectors changes with every scrape of Prometheus: it is taken anew less often than the charts. */
const STATES_EVERY = 5;

const element = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;
const { metrics = '', collectors = '' } = document.body.dataset;
const enabled = collectors.split(' ');
const figures = FIGURES.filter(({ collector }) => enabled.includes(collector));
const charts = new Map<string, Chart>();
let before: { readonly samples: Samples; readonly atMs: number } | undefined;

async function get(address: string): Promise<string> {
  const answer = await fetch(address, { cache: 'no-store' });
  if (answer.ok) return answer.text();
  const reasons: Readonly<Record<number, string>> = {
    401: 'the password is asked for again: load this page anew',
    429: 'the rate limit of the web configuration is reached',
    503: 'too many scrapes are under way',
  };
  throw new Error(reasons[answer.status] ?? `the exporter answered ${answer.status}`);
}

function say(text: string): void {
  const state = element('live-state');
  if (state.textContent !== text) state.textContent = text;
}

async function scrape(): Promise<void> {
  const samples = parseSamples(await get(`${metrics}?${queryOf(figures)}`));
  const atMs = performance.now();
  if (before !== undefined) {
    const seconds = (atMs - before.atMs) / 1000;
    for (const figure of figures) {
      const values = figure.values(before.samples, samples, seconds);
      let chart = charts.get(figure.id);
      // A machine without these counters gets no empty chart.
      if (chart === undefined && values.values().some((value) => value !== null)) {
        chart = createChart(figure);
        charts.set(figure.id, chart);
        element('charts').append(...figures.flatMap(({ id }) => charts.get(id)?.element ?? []));
      }
      chart?.add(Date.now() / 1000, values);
    }
  }
  before = { samples, atMs };
}

/** Takes what is said of the collectors from a new copy of the page, unless somebody is in it. */
async function refreshStates(): Promise<void> {
  const copy = new DOMParser().parseFromString(await get('./'), 'text/html');
  if (getSelection()?.isCollapsed === false) return;
  for (const id of ['failures', 'missing', 'states', 'held']) {
    const fresh = copy.getElementById(id);
    const old = element(id);
    if (fresh !== null && !old.contains(document.activeElement)) old.replaceWith(fresh);
  }
}

/** Runs while the page is looked at, and waits longer where the exporter has no time for it. */
async function watch(): Promise<void> {
  let everyMs = EVERY_MS;
  for (let turn = 0; ; turn += 1) {
    if (document.hidden) {
      // What was counted in between belongs to no moment.
      before = undefined;
      await new Promise((resolve) => document.addEventListener('visibilitychange', resolve, { once: true }));
      continue;
    }
    try {
      if (figures.length > 0) await scrape();
      if (turn % STATES_EVERY === 0) await refreshStates();
      everyMs = EVERY_MS;
      say(charts.size > 0 ? '' : 'Waiting for the second scrape.');
    } catch (error) {
      before = undefined;
      everyMs = Math.min(everyMs * 2, EVERY_MS_MAX);
      say(`No new values: ${(error as Error).message}. Next try in ${everyMs / 1000} s.`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  for (const chart of charts.values()) chart.redraw();
});

if (figures.length > 0) element('live').hidden = false;
// Nobody has scraped yet: all collectors run once, so that the page can say how they are.
const first = document.querySelector('tr.ok, tr.failed, tr.no_data') === null ? get(metrics) : Promise.resolve('');
void first.catch(() => '').then(watch);
