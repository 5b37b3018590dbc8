/**
 * Tables and curves of what `evaluate.py` measured, from `models/NAME/results.jsonl`: pass@1 and pass@8 with their 95 % intervals,
 * accuracy against the limit on thinking, pass@k against k; and what the planner is to know of it.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Plot, type PlotSeries, renderPlot } from '../src/lab/plot.ts';
import { Bootstrap, type Estimate } from '../src/lab/statistics.ts';
import { type Cell, curvesOf, passAtK } from './curves.ts';

const RESAMPLES = 2000;
const TRIES = [1, 2, 4, 8, 16, 32, 64];
/** The cells whose pass@k is drawn, every model a line. */
const DRAWN = ['kk/4', 'countdown/4'];
/** Where the tables stand in the README. */
const FROM = '<!-- accuracy: written by npm run report -->';
const TO = '<!-- /accuracy -->';

interface Measured {
  readonly model: string;
  readonly cells: readonly Cell[];
}

function estimate(cell: Cell, k: number): Estimate {
  const values = cell.correct.map((correct) => passAtK(cell.n, correct, k));
  return new Bootstrap([values.length], RESAMPLES, 1).accuracy(values);
}

const percent = (x: number): string => (100 * x).toFixed(1);
const shown = ({ mean, low, high }: Estimate): string => `${percent(mean)} (${percent(low)}–${percent(high)})`;
const tokensOf = ({ tokens, n, correct }: Cell): string => (tokens / (n * correct.length)).toFixed(0);
const nameOf = ({ task, difficulty }: Cell): string => `${task}/${difficulty}`;

function cellsOf(path: string): Cell[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Cell);
}

/** Sampled, and thinking as long as the context lets it. */
const isWhole = ({ maxThinking, temperature, n }: Cell): boolean => maxThinking === null && temperature > 0 && n > 1;

const lengthsOf = ({ cells }: Measured): number[] => [
  ...new Set(cells.filter(isWhole).map(({ maxTokens }) => maxTokens)),
];

/** The same models with the samples of one length alone; those that have none are left out. */
function ofLength(measured: readonly Measured[], maxTokens: number): Measured[] {
  return measured.flatMap(({ model, cells }) => {
    const kept = cells.filter((cell) => !isWhole(cell) || cell.maxTokens === maxTokens);
    return kept.some(isWhole) ? [{ model, cells: kept }] : [];
  });
}

/** Longer samples than the least, where some models were given them, beside the same models' short ones. */
function longer(measured: readonly Measured[], least: number): string[] {
  const given = measured.filter((one) => lengthsOf(one).some((length) => length > least));
  const columns = given.flatMap((one) =>
    lengthsOf(one)
      .sort((a, b) => a - b)
      .map((length) => {
        const [{ model, cells }] = ofLength([one], length) as [Measured];
        return { model: `${model}, up to ${length}`, cells };
      }),
  );
  if (columns.length === 0) return [];
  return [
    '',
    'The same with more tokens, pass@1, pass@8 (both in %) and tokens of a sample:',
    '',
    table(columns, (cell) => {
      const many = cell.n < 8 ? '—' : percent(estimate(cell, 8).mean);
      return `${shown(estimate(cell, 1))} / ${many} / ${tokensOf(cell)}`;
    }),
  ];
}

/** A row a cell, a column a model; null where a cell does not tell. */
function table(measured: readonly Measured[], show: (cell: Cell) => string | null): string {
  const names = [...new Set(measured.flatMap(({ cells }) => cells.filter(isWhole).map(nameOf)))];
  const rows = names.flatMap((name) => {
    const found = measured.map(({ cells }) => cells.find((cell) => isWhole(cell) && nameOf(cell) === name));
    const texts = found.map((cell) => (cell && show(cell)) ?? '—');
    return texts.every((text) => text === '—') ? [] : [`| ${name} | ${texts.join(' | ')} |`];
  });
  const head = ['task', ...measured.map(({ model }) => model)];
  return [`| ${head.join(' | ')} |`, `|${'---|'.repeat(head.length)}`, ...rows].join('\n');
}

/** What was counted, in one sentence. */
function scope(measured: readonly Measured[]): string {
  const cells = measured.flatMap(({ cells }) => cells.filter(isWhole));
  const all = <T>(of: (cell: Cell) => T) => [...new Set(cells.map(of))].sort().join(' or ');
  return `${all(({ correct }) => correct.length)} held-out problems a cell, ${all(({ n }) => n)} samples each at temperature ${all(({ temperature }) => temperature)} of up to ${all(({ maxTokens }) => maxTokens)} tokens, on ${all(({ device }) => device)}.`;
}

function point(x: number, of: Estimate) {
  return { x, y: of.mean, low: of.low, high: of.high };
}

/** Accuracy against the limit on thinking, a series for every model and cell that was measured with several. */
function thinkingSeries({ model, cells }: Measured): PlotSeries[] {
  const names = [...new Set(cells.filter(({ maxThinking }) => maxThinking !== null).map(nameOf))];
  return names.map((name) => ({
    name: `${model} ${name}`,
    points: cells
      .filter((cell) => nameOf(cell) === name && cell.maxThinking !== null)
      .sort((a, b) => (a.maxThinking as number) - (b.maxThinking as number))
      .map((cell) => point(cell.maxThinking as number, estimate(cell, 1))),
  }));
}

/** pass@k of one cell against k. */
function sampleSeries(name: string, measured: readonly Measured[]): PlotSeries[] {
  return measured.flatMap(({ model, cells }) => {
    const cell = cells.find((one) => isWhole(one) && nameOf(one) === name);
    if (!cell) return [];
    return [
      {
        name: model,
        points: TRIES.filter((k) => k <= cell.n).map((k) => point(k, estimate(cell, k))),
      },
    ];
  });
}

function measuredModels(folder: string): Measured[] {
  const size = (model: string) => statSync(join(folder, model, 'model.safetensors')).size;
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'results.jsonl')))
    .sort((a, b) => size(a) - size(b) || a.localeCompare(b))
    .map((model) => ({ model, cells: cellsOf(join(folder, model, 'results.jsonl')) }));
}

function plotsOf(measured: readonly Measured[]): [file: string, plot: Plot][] {
  const note = 'on held-out problems, 95 % intervals';
  return [
    [
      'thinking.svg',
      {
        title: 'More thinking',
        note: `pass@1 ${note}`,
        x: { label: 'most tokens of thinking' },
        y: { label: 'accuracy' },
        series: measured.flatMap(thinkingSeries),
      },
    ],
    ...DRAWN.map((name): [string, Plot] => [
      `samples-${name.replace('/', '-')}.svg`,
      {
        title: `More samples: ${name}`,
        note: `pass@k ${note}`,
        x: { label: 'samples (k)', ticks: TRIES },
        y: { label: 'solved' },
        series: sampleSeries(name, measured),
      },
    ]),
  ];
}

export interface Report {
  /** What stands in the README between its marks. */
  readonly text: string;
  /** Drawings by file name. */
  readonly drawings: Readonly<Record<string, string>>;
  /** What the planner is to know of the models, JSON. */
  readonly known: string;
}

/** What the models in `folder` were measured to do. */
export function report(folder: string): Report {
  const all = measuredModels(folder);
  // Models are compared at one length.
  const least = Math.min(...all.flatMap(lengthsOf));
  const measured = ofLength(all, least);
  const text = [
    scope(measured),
    '',
    'pass@1, %:',
    '',
    table(measured, (cell) => shown(estimate(cell, 1))),
    '',
    'pass@8, %:',
    '',
    table(measured, (cell) => (cell.n < 8 ? null : shown(estimate(cell, 8)))),
    '',
    'Tokens of a sample, prompt aside:',
    '',
    table(measured, tokensOf),
    ...longer(all, least),
  ].join('\n');
  const drawn = plotsOf(measured).filter(([, plot]) => plot.series.length > 0);
  return {
    text,
    drawings: Object.fromEntries(drawn.map(([file, plot]) => [file, renderPlot(plot)])),
    known: `${JSON.stringify(
      all.flatMap(({ model, cells }) => curvesOf(model, cells)),
      null,
      2,
    )}\n`,
  };
}

/** @returns `readme` with the tables between its marks replaced. */
export function withTables(readme: string, text: string): string {
  const [from, to] = [readme.indexOf(FROM), readme.indexOf(TO)];
  if (from < 0 || to < from) throw new Error(`The README has no place for the tables: ${FROM} … ${TO}`);
  return `${readme.slice(0, from + FROM.length)}\n\n${text}\n\n${readme.slice(to)}`;
}
