/** A line plot as an SVG text: no DOM, so the same in Node, a worker and a page. */
import { type ScaleContinuousNumeric, scaleLinear, scaleLog } from 'd3-scale';
import { curveStepAfter, line, type SymbolType, symbol, symbolsFill } from 'd3-shape';

export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  /** Ends of the interval around `y`. */
  readonly low: number;
  readonly high: number;
  /** Beside the point. */
  readonly label?: string;
}

export interface PlotSeries {
  readonly name: string;
  readonly points: readonly PlotPoint[];
}

export interface Plot {
  readonly title: string;
  /** One line below the title. */
  readonly note?: string;
  readonly x: { readonly label: string; readonly ticks?: readonly number[] };
  readonly y: { readonly label: string };
  readonly series: readonly PlotSeries[];
  /** Drawn as steps: what is best for up to this much. */
  readonly frontier?: readonly { readonly x: number; readonly y: number }[];
}

const WIDTH = 800;
const HEIGHT = 480;
const MARGIN = { top: 66, right: 178, bottom: 58, left: 64 };
const INNER = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };

/** Apart from each other and from the ground, light or dark; the marks differ too, for eyes that see colours otherwise. */
const COLOURS = ['#2f7fd6', '#d9730d', '#1a9a6c', '#c0539a', '#8468d6', '#a8871a', '#d64545'];

/** On its own a file follows the reader's theme; inside a page the text takes the page's colour. */
const STYLE = `.reckon-plot{font:13px system-ui,sans-serif}
.reckon-plot:root{color:#1c2026;background:#fff}
@media (prefers-color-scheme:dark){.reckon-plot:root{color:#e8eaed;background:#15181c}}`;

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'];

/** 20000000 → "20 M". */
function short(value: number): string {
  const step = value < 1000 ? 0 : Math.min(PREFIXES.length - 1, Math.floor(Math.log10(value) / 3 + 1e-9));
  return `${Number((value / 1000 ** step).toPrecision(3))} ${PREFIXES[step]}`.trim();
}

function escaped(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return text.replace(/[&<>"']/g, (character) => names[character] as string);
}

/** Coordinates to a tenth of a pixel. */
const px = (value: number): string => String(Math.round(value * 10) / 10);

/** Ticks of a log axis that can all be read: powers of ten, with 2 and 5 between them where there are few. */
function logTicks([low, high]: readonly [number, number]): number[] {
  const mantissas = high / low > 500 ? [1] : [1, 2, 5];
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    for (const mantissa of mantissas) {
      const tick = mantissa * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** The range of the values with a little room at both ends; one value gets a decade around it. */
function domainOf(values: readonly number[]): [number, number] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (!(low > 0) || !Number.isFinite(high)) return [1, 10];
  const room = low === high ? Math.sqrt(10) : (high / low) ** 0.06;
  return [low / room, high * room];
}

type Scale = ScaleContinuousNumeric<number, number>;

function axes(plot: Plot, x: Scale, y: Scale, ticks: readonly number[]): string {
  const lines: string[] = [];
  for (const tick of y.ticks(5)) {
    const at = px(y(tick));
    lines.push(
      `<line x2="${INNER.width}" y1="${at}" y2="${at}" stroke="currentColor" stroke-opacity="0.15"/>`,
      `<text x="-10" y="${at}" dy="0.32em" text-anchor="end">${Math.round(tick * 100)} %</text>`,
    );
  }
  for (const tick of ticks) {
    const at = px(x(tick));
    lines.push(
      `<line x1="${at}" x2="${at}" y2="${INNER.height}" stroke="currentColor" stroke-opacity="0.08"/>`,
      `<text x="${at}" y="${INNER.height + 20}" text-anchor="middle">${short(tick)}</text>`,
    );
  }
  lines.push(
    `<line x2="${INNER.width}" y1="${INNER.height}" y2="${INNER.height}" stroke="currentColor"/>`,
    `<text x="${INNER.width / 2}" y="${INNER.height + 44}" text-anchor="middle">${escaped(plot.x.label)}</text>`,
    `<text transform="rotate(-90)" x="${-INNER.height / 2}" y="-46" text-anchor="middle">${escaped(plot.y.label)}</text>`,
  );
  return lines.join('\n');
}

const markOf = (type: SymbolType, size: number): string => symbol(type, size)() ?? '';
const typeOf = (index: number): SymbolType => symbolsFill[index % symbolsFill.length] as SymbolType;
const colourOf = (index: number): string => COLOURS[index % COLOURS.length] as string;

/** @param aside pixels by which the whiskers stand beside their points, so that those of several lines are told apart. */
function seriesMarks({ points }: PlotSeries, index: number, aside: number, x: Scale, y: Scale): string {
  const colour = colourOf(index);
  const path = line<PlotPoint>(
    (point) => x(point.x),
    (point) => y(point.y),
  ).digits(1)(points);
  const marks = points.map((point) => {
    const [at, top, bottom] = [px(x(point.x)), px(y(point.high)), px(y(point.low))];
    const beside = px(x(point.x) + aside);
    const label = point.label
      ? `<text x="${px(x(point.x) + 7)}" y="${px(y(point.y) + 14)}" font-size="11" fill="currentColor" fill-opacity="0.8">${escaped(point.label)}</text>`
      : '';
    return [
      `<line class="interval" x1="${beside}" x2="${beside}" y1="${top}" y2="${bottom}" stroke-opacity="0.6" stroke-width="1.5"/>`,
      `<path d="${markOf(typeOf(index), 52)}" transform="translate(${at},${px(y(point.y))})" fill="${colour}" stroke="none"/>`,
      label && `<g stroke="none">${label}</g>`,
    ].join('');
  });
  return `<g stroke="${colour}" fill="none"><path d="${path ?? ''}" stroke-width="2"/>\n${marks.join('\n')}</g>`;
}

function frontierMark(frontier: NonNullable<Plot['frontier']>, x: Scale, y: Scale): string {
  const last = frontier.at(-1);
  if (!last) return '';
  // The best stays the best for whoever has more to spend.
  const steps = [...frontier, { x: x.invert(INNER.width), y: last.y }];
  const path = line<{ x: number; y: number }>(
    (point) => x(point.x),
    (point) => y(point.y),
  )
    .curve(curveStepAfter)
    .digits(1)(steps);
  return `<path class="frontier" d="${path ?? ''}" fill="none" stroke="currentColor" stroke-opacity="0.6" stroke-width="1.5" stroke-dasharray="5 4"/>`;
}

function legend(plot: Plot): string {
  const rows = plot.series.map(
    ({ name }, index) =>
      `<path d="${markOf(typeOf(index), 60)}" transform="translate(10,0)" fill="${colourOf(index)}"/><text x="26" dy="0.32em">${escaped(name)}</text>`,
  );
  if (plot.frontier) {
    rows.push(
      '<line x2="20" stroke="currentColor" stroke-opacity="0.6" stroke-width="1.5" stroke-dasharray="5 4"/><text x="26" dy="0.32em">Pareto frontier</text>',
    );
  }
  const placed = rows.map((row, i) => `<g transform="translate(0,${i * 22})">${row}</g>`);
  return `<g class="legend" transform="translate(${WIDTH - MARGIN.right + 20},${MARGIN.top + 12})">${placed.join('\n')}</g>`;
}

/**
 * The plot: logarithmic x, y from 0 to 1 in per cent, whiskers for intervals. Stands alone as a file, and inside a page.
 * @param plot points with an `x` that is not above 0 are left out: a log axis has no place for them.
 */
export function renderPlot(plot: Plot): string {
  const series = plot.series.map((one) => ({ ...one, points: one.points.filter((point) => point.x > 0) }));
  const domain = domainOf(series.flatMap(({ points }) => points.map((point) => point.x)));
  const x = scaleLog(domain, [0, INNER.width]);
  const y = scaleLinear([0, 1], [INNER.height, 0]);
  const words = `${plot.y.label} against ${plot.x.label}: ${plot.series.map(({ name }) => name).join(', ')}.`;
  return `<svg xmlns="http://www.w3.org/2000/svg" class="reckon-plot" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" fill="currentColor">
<title>${escaped(plot.title)}</title>
<desc>${escaped(words)}</desc>
<style>${STYLE}</style>
<text x="${MARGIN.left}" y="26" font-size="17" font-weight="600">${escaped(plot.title)}</text>
${plot.note ? `<text x="${MARGIN.left}" y="47" fill-opacity="0.75">${escaped(plot.note)}</text>` : ''}
<g transform="translate(${MARGIN.left},${MARGIN.top})">
${axes(plot, x, y, plot.x.ticks ?? logTicks(domain))}
${plot.frontier ? frontierMark(plot.frontier, x, y) : ''}
${series.map((one, index) => seriesMarks(one, index, 4 * (index - (series.length - 1) / 2), x, y)).join('\n')}
</g>
${legend(plot)}
</svg>
`;
}
