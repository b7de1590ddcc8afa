// Grafana dashboards as data: what a panel asks and how it shows the answer. The rest of the JSON is the same for all.

/** What stands in a query for the chosen machines. */
export const CHOSEN = 'job=~"$job", instance=~"$instance"';

export interface Query {
  readonly expr: string;
  /** How a series is named, such as `CPU {{cpu}}`. */
  readonly legend: string;
}

export interface Graph {
  readonly title: string;
  /** What it means, in a sentence or two. */
  readonly about: string;
  /** Grafana's name of the unit: https://grafana.com/docs/grafana/latest/panels-visualizations/configure-standard-options/ */
  readonly unit: string;
  readonly queries: readonly Query[];
  readonly isStacked?: boolean;
  readonly max?: number;
  /** In 24ths of the page. */
  readonly width?: number;
}

export interface Figure extends Omit<Graph, 'isStacked'> {
  /** Values from which on it turns yellow and red; the other way round where the second is less. */
  readonly limits?: readonly [warning: number, critical: number];
}

export interface List {
  readonly title: string;
  readonly about: string;
  readonly expr: string;
  /** The labels that are columns, and their headings. */
  readonly columns: Readonly<Record<string, string>>;
  readonly width?: number;
}

type Panel = Readonly<Record<string, unknown>>;
/** A panel that has no place yet. */
export interface Unplaced {
  readonly width: number;
  readonly height: number;
  readonly panel: Panel;
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' };
const COLUMNS = 24;
const GRAPH_HEIGHT = 8;
const FIGURE_HEIGHT = 4;

const targets = (queries: readonly Query[], instant: boolean): unknown[] =>
  queries.map(({ expr, legend }, i) => ({
    refId: String.fromCharCode('A'.charCodeAt(0) + i),
    datasource: DATASOURCE,
    expr,
    legendFormat: legend,
    ...(instant ? { instant: true, range: false } : { range: true }),
  }));

export const graph = ({ title, about, unit, queries, isStacked, max, width = 12 }: Graph): Unplaced => ({
  width,
  height: GRAPH_HEIGHT,
  panel: {
    type: 'timeseries',
    title,
    description: about,
    datasource: DATASOURCE,
    targets: targets(queries, false),
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        custom: {
          drawStyle: 'line',
          lineWidth: 1,
          fillOpacity: isStacked === true ? 40 : 8,
          showPoints: 'never',
          ...(isStacked === true ? { stacking: { mode: 'normal', group: 'A' } } : {}),
        },
      },
      overrides: [],
    },
    options: {
      legend: { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  },
});

/** Green, then yellow and red from the limits on; or red first, where less is worse. */
function thresholds([warning, critical]: readonly [number, number]): unknown {
  const steps =
    warning <= critical
      ? [
          { color: 'green', value: null },
          { color: 'yellow', value: warning },
          { color: 'red', value: critical },
        ]
      : [
          { color: 'red', value: null },
          { color: 'yellow', value: critical },
          { color: 'green', value: warning },
        ];
  return { mode: 'absolute', steps };
}

export const figure = ({ title, about, unit, queries, max, width = 4, limits }: Figure): Unplaced => ({
  width,
  height: FIGURE_HEIGHT,
  panel: {
    type: 'stat',
    title,
    description: about,
    datasource: DATASOURCE,
    targets: targets(queries, true),
    fieldConfig: {
      defaults: {
        unit,
        ...(max === undefined ? {} : { max }),
        thresholds:
          limits === undefined ? { mode: 'absolute', steps: [{ color: 'blue', value: null }] } : thresholds(limits),
      },
      overrides: [],
    },
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'none',
      textMode: 'auto',
      justifyMode: 'auto',
      orientation: 'auto',
      wideLayout: true,
    },
  },
});

export const list = ({ title, about, expr, columns, width = 12 }: List): Unplaced => ({
  width,
  height: GRAPH_HEIGHT,
  panel: {
    type: 'table',
    title,
    description: about,
    datasource: DATASOURCE,
    targets: [{ refId: 'A', datasource: DATASOURCE, expr, instant: true, range: false, format: 'table' }],
    fieldConfig: { defaults: {}, overrides: [] },
    options: { showHeader: true, cellHeight: 'sm' },
    transformations: [
      { id: 'filterFieldsByName', options: { include: { names: Object.keys(columns) } } },
      { id: 'organize', options: { renameByName: columns } },
    ],
  },
});

export const row = (title: string): Unplaced => ({
  width: COLUMNS,
  height: 1,
  panel: { type: 'row', title, collapsed: false, panels: [] },
});

/** Puts the panels side by side, from left to right and then below. */
function placed(panels: readonly Unplaced[]): Panel[] {
  let [x, y, lineHeight] = [0, 0, 0];
  return panels.map(({ width, height, panel }, i) => {
    if (x + width > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
    const gridPos = { h: height, w: width, x, y };
    [x, lineHeight] = [x + width, Math.max(lineHeight, height)];
    return { id: i + 1, ...panel, gridPos };
  });
}

const choice = (name: string, label: string, query: string): unknown => ({
  name,
  label,
  type: 'query',
  datasource: DATASOURCE,
  query: { query, refId: name },
  refresh: 2,
  sort: 1,
  multi: true,
  includeAll: true,
  allValue: '.*',
  current: { text: ['All'], value: ['$__all'] },
});

export interface Page {
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  /** A metric that every machine of the page has. */
  readonly metric: string;
  readonly panels: readonly Unplaced[];
}

/** The JSON that Grafana imports or is provisioned with. https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ */
export const dashboard = ({ uid, title, about, metric, panels }: Page): string =>
  `${JSON.stringify(
    {
      uid,
      title,
      description: about,
      tags: ['keyhole', 'node'],
      schemaVersion: 39,
      version: 1,
      editable: true,
      graphTooltip: 1,
      timezone: 'browser',
      refresh: '1m',
      time: { from: 'now-1h', to: 'now' },
      links: [
        {
          title: 'Keyhole',
          type: 'dashboards',
          tags: ['keyhole'],
          asDropdown: false,
          includeVars: true,
          keepTime: true,
          icon: '',
          tooltip: '',
          url: '',
          targetBlank: false,
        },
      ],
      templating: {
        list: [
          {
            name: 'datasource',
            label: 'Data source',
            type: 'datasource',
            query: 'prometheus',
            refresh: 1,
          },
          choice('job', 'Job', `label_values(${metric}, job)`),
          choice('instance', 'Machine', `label_values(${metric}{job=~"$job"}, instance)`),
        ],
      },
      annotations: { list: [] },
      panels: placed(panels),
    },
    null,
    2,
  )}\n`;
