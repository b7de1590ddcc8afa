import type { CollectorState } from '../../core/collector_state.ts';

/** What the process holds: the fields of the line `Privileges` in the log. */
export interface PrivilegeFacts {
  /** `sealed`, `retained`, `unsealed` or `direct`. */
  readonly stage: string;
  /** Names of capabilities, or `none`. */
  readonly permitted_at_start: string;
  readonly permitted: string;
  readonly capable_threads: number;
  readonly threads: number;
  readonly no_new_privs: boolean | 'unknown';
  readonly uid: number;
  /** The version of Landlock's interface, 0 for none, and whether there is a filter; missing until the server listens. */
  readonly landlock?: number;
  readonly seccomp?: boolean;
  /** How many were opened at the start, by owner: `perf:252`. */
  readonly descriptors: string;
}

export interface PageFacts {
  readonly host: string;
  readonly version: string;
  readonly revision: string;
  readonly telemetryPath: string;
  readonly states: readonly CollectorState[];
  /** Names of collectors that are switched off. */
  readonly disabled: readonly string[];
  readonly privilege?: PrivilegeFacts | undefined;
}

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);

/** Relative to the page, so that a proxy may put it below any path. */
const metricsLink = (telemetryPath: string): string =>
  escapeHtml(`.${encodeURI(telemetryPath).replaceAll('?', '%3F').replaceAll('#', '%23')}`);

/** What there is to see first. */
const STATES = ['failed', 'ok', 'no_data', 'never_run'] as const;
const OUTCOMES = ['failed', 'ok', 'empty', 'no_data', 'never_run'] as const;

const WORDS: Readonly<Record<CollectorState['state'], string>> = {
  failed: 'failed',
  ok: 'ok',
  no_data: 'nothing here',
  never_run: 'not run yet',
};

const IN_SENTENCE = {
  failed: 'failed',
  ok: 'gave metrics',
  empty: 'had nothing to report',
  no_data: 'found nothing of their kind on this machine',
  never_run: 'have not run yet',
} as const;

/** One that went well and wrote no series is counted apart. */
const outcomeOf = ({ state, series }: CollectorState): keyof typeof IN_SENTENCE =>
  state === 'ok' && series === 0 ? 'empty' : state;

const duration = (seconds: number): string =>
  seconds >= 1 ? `${seconds.toFixed(2)} s` : `${(seconds * 1000).toFixed(seconds < 0.01 ? 2 : 0)} ms`;

/** Without the remedy, which is in the section about privileges. */
const whyOf = (error: string): string => error.replace(/\. Remedy: .*/s, '');

function reason({ state, error, faults, remark, series }: CollectorState): string {
  const text = error ?? (series === 0 ? remark : undefined);
  if (text === undefined) return '';
  const more = faults > 1 ? `${faults} faults, one of them: ` : '';
  const link = text === whyOf(text) ? '' : '. <a href="#privileges">Remedy</a>';
  return ` <span class="reason">${state === 'failed' ? more : ''}${escapeHtml(whyOf(text))}${link}</span>`;
}

function wordOf({ state, error, series }: CollectorState): string {
  if (state !== 'ok') return WORDS[state];
  if (error !== undefined) return 'ok in part';
  return series === 0 ? 'ok, nothing to report' : WORDS.ok;
}

function row(each: CollectorState, telemetryPath: string): string {
  const { name, state, durationSeconds, series } = each;
  const ran = state !== 'never_run';
  const link = `${metricsLink(telemetryPath)}?collect[]=${encodeURIComponent(name)}`;
  return `<tr class="${state}"><th scope="row"><a href="${link}">${escapeHtml(name)}</a></th><td><span class="state">${wordOf(each)}</span>${reason(each)}</td><td class="number">${ran ? series : ''}</td><td class="number">${ran ? duration(durationSeconds) : ''}</td></tr>`;
}

/** What needs somebody's eyes comes first, whatever else is on the page. */
function failures({ states }: PageFacts): string {
  const failed = states.filter(({ state }) => state === 'failed').map(({ name }) => escapeHtml(name));
  const text = `${failed.length === 1 ? 'A collector' : `${failed.length} collectors`} failed: ${failed.join(', ')}.`;
  return `<p id="failures">${failed.length === 0 ? '' : `${text} <a href="#collectors">Why</a>`}</p>`;
}

function collectorsSection({ states, telemetryPath }: PageFacts): string {
  const sorted = STATES.flatMap((state) => states.filter((each) => each.state === state));
  const counts = OUTCOMES.map(
    (outcome) => [outcome, states.filter((each) => outcomeOf(each) === outcome).length] as const,
  );
  const sentence = counts.filter(([, count]) => count > 0).map(([state, count]) => `${count} ${IN_SENTENCE[state]}`);
  const unseen = states.length > 0 && states.every(({ state }) => state === 'never_run');
  const hint = `<p>Nobody has scraped this exporter yet. Open the <a href="${metricsLink(telemetryPath)}">metrics</a>, then load this page again.</p>`;
  return `<section aria-labelledby="collectors"><h2 id="collectors">Collectors</h2>
<div id="states">
<p>Of ${states.length} collectors, ${sentence.join(', ') || 'none is switched on'}. The table shows the last run of each. A collector's name is a link to its metrics.</p>
${unseen ? hint : ''}
<table><thead><tr><th scope="col">Collector</th><th scope="col">State</th><th scope="col" class="number">Series</th><th scope="col" class="number">Time</th></tr></thead>
<tbody>
${sorted.map((each) => row(each, telemetryPath)).join('\n')}
</tbody></table>
</div></section>`;
}

const disabledSection = ({ disabled }: PageFacts): string =>
  disabled.length === 0
    ? ''
    : `<section aria-labelledby="disabled"><h2 id="disabled">Switched off</h2>
<p>Each of these flags switches a collector on.</p>
<ul class="flags">${[...disabled]
        .sort()
        .map((name) => `<li><code>--collector.${escapeHtml(name)}</code></li>`)
        .join('')}</ul></section>`;

const STAGES: Readonly<Record<string, string>> = {
  sealed: 'The process is sealed: it opened what it needs at the start, and has given up every capability for good.',
  retained: 'The process keeps the capabilities that reopen counters (--privilege.mode=retained).',
  unsealed: 'The process keeps the capabilities it was started with: it is not sealed.',
  direct: 'The process was started without any capability, so it has none to give up.',
};

const perfState = ({ states }: PageFacts): CollectorState | undefined => states.find(({ name }) => name === 'perf');

/** Why charts of counters are not among the others. */
function missingCharts(facts: PageFacts): string {
  const perf = perfState(facts);
  const why = perf?.state === 'ok' ? perf.remark : perf?.error;
  return `<p id="missing">${why === undefined ? '' : `Charts of perf counters are missing: ${escapeHtml(whyOf(why))}.`}</p>`;
}

/** How perf counters are, in the words of `keyhole doctor`. */
function perfVerdict(facts: PageFacts): string {
  const perf = perfState(facts);
  if (perf === undefined)
    return facts.disabled.includes('perf')
      ? 'switched off; <code>--collector.perf</code> switches them on'
      : 'not part of this exporter';
  if (perf.state === 'never_run') return 'not read yet';
  if (perf.state === 'ok') return perf.remark === undefined ? 'open' : `open, but ${escapeHtml(perf.remark)}`;
  return `denied: ${escapeHtml(perf.error ?? 'no reason is known')}. <code>keyhole doctor</code> shows each cause and what to change.`;
}

function privilegeSection(facts: PageFacts): string {
  const { privilege } = facts;
  const held = privilege === undefined ? [] : heldBy(privilege);
  const all = [['Perf counters', perfVerdict(facts)], ...held];
  return `<section aria-labelledby="privileges"><h2 id="privileges">Privileges</h2>
${privilege === undefined ? '' : `<p>${STAGES[privilege.stage] ?? escapeHtml(privilege.stage)}</p>`}
<dl id="held">${all.map(([term, text]) => `<div><dt>${term}</dt><dd>${text}</dd></div>`).join('')}</dl></section>`;
}

function sandboxOf({ landlock = 0, seccomp = false }: PrivilegeFacts): string {
  const parts = [
    ...(landlock > 0 ? [`Landlock, version ${landlock}`] : []),
    ...(seccomp ? ['a filter of system calls'] : []),
  ];
  return parts.join(', and ') || 'none';
}

const heldBy = (privilege: PrivilegeFacts): [string, string][] => [
  ['User', `${privilege.uid}${privilege.uid === 0 ? ' (root)' : ''}`],
  ['Capabilities at the start', escapeHtml(privilege.permitted_at_start)],
  ['Capabilities now', escapeHtml(privilege.permitted)],
  ['Threads with a capability', `${privilege.capable_threads} of ${privilege.threads}`],
  ['no_new_privs', { true: 'set', false: 'not set', unknown: 'unknown' }[`${privilege.no_new_privs}`]],
  ['Sandbox', sandboxOf(privilege)],
  [
    'Files opened with privileges at the start',
    escapeHtml(privilege.descriptors).replaceAll(':', ' ').replaceAll(',', ', '),
  ],
];

/** A keyhole. */
const ICON =
  "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' fill='%231f5f8b'/%3E%3Cpath d='M8 3a3 3 0 0 1 1.5 5.6L10.5 13h-5l1-4.4A3 3 0 0 1 8 3z' fill='white'/%3E%3C/svg%3E";

/** The page at `/`. It says everything without its script and its style, which only add charts and looks. */
export const statusPage = (facts: PageFacts): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Keyhole on ${escapeHtml(facts.host)}</title>
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="./status.css">
<script src="./status.js" defer></script>
</head>
<body data-metrics="${metricsLink(facts.telemetryPath)}" data-collectors="${facts.states.map(({ name }) => escapeHtml(name)).join(' ')}">
<header><h1>Keyhole on ${escapeHtml(facts.host)}</h1>
<p>Metrics of this machine's hardware and kernel for Prometheus.</p>
<nav aria-label="Pages"><ul><li><a href="${metricsLink(facts.telemetryPath)}">Metrics</a></li><li><a href="#collectors">Collectors</a></li><li><a href="#privileges">Privileges</a></li></ul></nav>
${failures(facts)}
</header>
<main>
<section id="live" aria-labelledby="live-title" hidden><h2 id="live-title">Last minutes</h2><p id="live-state" role="status"></p><div id="charts"></div>${missingCharts(facts)}</section>
<noscript><p>Charts of the last minutes need JavaScript. Everything else is on this page.</p></noscript>
${collectorsSection(facts)}
${privilegeSection(facts)}
${disabledSection(facts)}
</main>
<footer><p>Keyhole ${escapeHtml(facts.version)}, revision ${escapeHtml(facts.revision)}</p></footer>
</body>
</html>
`;
