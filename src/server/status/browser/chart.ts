import uPlot from 'uplot';
import { type Figure, shown, type Values } from './figures.ts';

/** How much is kept: five minutes of scrapes every two seconds. */
const POINTS_MAX = 150;
const HEIGHT_PX = 180;
/** Lines beyond these colours are dashed in the same colours. */
const COLOURS = 6;

/** Between two ticks: numbers that are round in KiB, MiB and so on. */
const BYTES_STEPS = Array.from({ length: 50 }, (_, power) => 2 ** power);

export interface Chart {
  readonly element: HTMLElement;
  /** `at` is in seconds since 1970. */
  add(at: number, values: Values): void;
  /** To be called when the colours of the page changed. */
  redraw(): void;
}

interface Line {
  readonly name: string;
  readonly values: (number | null)[];
  readonly cell: HTMLTableCellElement;
}

const made = <K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]>,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};

const colourOf = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const lineColour = (place: number): string => colourOf(`--line-${place % COLOURS}`);

/** The tops of areas that stand one on the other; a hole stays one. */
function stack(lines: readonly Line[]): (number | null)[][] {
  const tops = (lines[0]?.values ?? []).map(() => 0);
  return lines.map(({ values }) =>
    values.map((value, i) => {
      if (value === null) return null;
      tops[i] = (tops[i] ?? 0) + value;
      return tops[i];
    }),
  );
}

function seriesOf(figure: Figure, place: number): uPlot.Series {
  const colour = lineColour(place);
  return {
    stroke: figure.stacked ? colourOf('--surface') : colour,
    width: figure.stacked ? 1 : 2,
    ...(figure.stacked ? { fill: colour } : {}),
    ...(place >= COLOURS ? { dash: [6, 4] } : {}),
    points: { show: false },
  };
}

function plotOptions(figure: Figure, lines: readonly Line[], width: number, onMove: () => void): uPlot.Options {
  const axis = {
    stroke: colourOf('--text'),
    grid: { stroke: colourOf('--grid'), width: 1 },
    ticks: { stroke: colourOf('--grid'), width: 1 },
    font: '12px system-ui, sans-serif',
  };
  // What is drawn later covers: the highest area first.
  const places = lines.map((_, place) => place);
  const order = figure.stacked ? places.reverse() : places;
  return {
    width,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { y: false, drag: { setScale: false, x: false, y: false } },
    scales: { y: { range: (_, __, max) => [0, figure.id === 'cpu' ? 100 : max > 0 ? max * 1.1 : 1] } },
    axes: [
      { ...axis, values: '{HH}:{mm}:{ss}', space: 70, size: 34 },
      {
        ...axis,
        size: 74,
        ...(figure.unit.startsWith('bytes') ? { incrs: BYTES_STEPS } : {}),
        values: (_, ticks) => ticks.map((tick) => shown(tick, figure.unit)),
      },
    ],
    series: [{}, ...order.map((place) => seriesOf(figure, place))],
    hooks: { setCursor: [onMove] },
  };
}

/** The drawing, made anew when lines come or colours change. */
function createDrawing(figure: Figure, box: HTMLElement, onMove: (place: number | undefined) => void) {
  let plot: uPlot | undefined;
  const destroy = (): void => {
    plot?.destroy();
    plot = undefined;
  };
  const draw = (times: readonly number[], lines: readonly Line[]): void => {
    const rows = figure.stacked ? stack(lines).reverse() : lines.map(({ values }) => values);
    const data = [times, ...rows] as unknown as uPlot.AlignedData;
    if (plot === undefined) {
      const moved = (): void => onMove(plot?.cursor.idx ?? undefined);
      plot = new uPlot(plotOptions(figure, lines, box.clientWidth, moved), data, box);
    } else plot.setData(data);
  };
  new ResizeObserver(() => plot?.setSize({ width: box.clientWidth, height: HEIGHT_PX })).observe(box);
  return {
    draw,
    destroy,
    /** Puts the cursor on a point, as the keyboard does. */
    point(place: number): void {
      if (plot === undefined) return;
      const left = plot.valToPos(plot.data[0][place] ?? 0, 'x');
      plot.setCursor({ left, top: HEIGHT_PX / 4 });
    },
  };
}

/** A chart with its table of values: the newest, or those under the cursor, which the arrow keys move too. */
export function createChart(figure: Figure): Chart {
  const times: number[] = [];
  const lines: Line[] = [];
  const title = made('h3', { id: `chart-${figure.id}` }, figure.title);
  const box = made('div', { className: 'plot' });
  box.setAttribute('aria-hidden', 'true');
  const body = made('tbody', {});
  const when = made('caption', {}, 'now');
  const table = made('table', { className: 'values' }, when, body);
  const element = made('figure', { tabIndex: 0 }, title, box, table);
  element.setAttribute('role', 'group');
  element.setAttribute('aria-labelledby', title.id);
  element.setAttribute('aria-description', 'The left and right arrow keys read earlier values.');
  let chosen: number | undefined;

  const read = (): void => {
    const place = chosen ?? times.length - 1;
    when.textContent = chosen === undefined ? 'now' : new Date((times[place] ?? 0) * 1000).toLocaleTimeString();
    for (const { cell, values } of lines) cell.textContent = shown(values[place], figure.unit);
  };
  const drawing = createDrawing(figure, box, (place) => {
    chosen = place;
    read();
  });
  const addLine = (name: string): void => {
    const place = lines.length;
    const swatch = made('span', { className: `swatch line-${place % COLOURS}${place >= COLOURS ? ' dashed' : ''}` });
    const heading = made('th', { scope: 'row' }, swatch, name);
    const cell = made('td', { className: 'number' });
    body.append(made('tr', {}, heading, cell));
    lines.push({ name, values: times.map(() => null), cell });
    drawing.destroy();
  };
  const draw = (): void => {
    drawing.draw(times, lines);
    read();
  };

  element.addEventListener('keydown', (event) => {
    const last = times.length - 1;
    const steps: Readonly<Record<string, number | undefined>> = {
      ArrowLeft: Math.max(0, (chosen ?? last) - 1),
      ArrowRight: Math.min(last, (chosen ?? last) + 1),
      Home: 0,
      End: last,
    };
    const place = steps[event.key];
    if (place === undefined) return;
    event.preventDefault();
    drawing.point(place);
    table.setAttribute('aria-live', 'polite');
  });
  element.addEventListener('blur', () => {
    table.removeAttribute('aria-live');
    chosen = undefined;
    read();
  });

  return {
    element,
    add(at, values) {
      for (const name of values.keys()) if (!lines.some((line) => line.name === name)) addLine(name);
      times.push(at);
      for (const { name, values: kept } of lines) kept.push(values.get(name) ?? null);
      if (times.length > POINTS_MAX) for (const kept of [times, ...lines.map((line) => line.values)]) kept.shift();
      draw();
    },
    redraw() {
      drawing.destroy();
      if (times.length > 0) draw();
    },
  };
}
