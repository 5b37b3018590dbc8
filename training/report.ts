/**
 * `npm run report`: tables and curves of what `evaluate.py` measured, for `models/README.md`. Reads `models/NAME/results.jsonl`,
 * prints pass@1 and pass@8 with their 95 % intervals, and writes the curves beside the README, and what the planner is to know.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Plot, type PlotSeries, renderPlot } from '../src/lab/plot.ts';
import { Bootstrap, type Estimate } from '../src/lab/statistics.ts';
import { type Cell, curvesOf, passAtK } from './curves.ts';

const MODELS = 'models';
/** What the planner knows of the models. */
const MEASURED = 'src/cost/measured.json';
const RESAMPLES = 2000;

function estimate(cell: Cell, k: number): Estimate {
  const values = cell.correct.map((correct) => passAtK(cell.n, correct, k));
  return new Bootstrap([values.length], RESAMPLES, 1).accuracy(values);
}

const percent = (x: number): string => (100 * x).toFixed(1);
const shown = ({ mean, low, high }: Estimate): string => `${percent(mean)} (${percent(low)}–${percent(high)})`;
const nameOf = ({ task, difficulty }: Cell): string => `${task}/${difficulty}`;

function cellsOf(model: string): Cell[] {
  const path = join(MODELS, model, 'results.jsonl');
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Cell);
}

function table(model: string, cells: readonly Cell[]): string {
  const whole = cells.filter(({ maxThinking, temperature }) => maxThinking === null && temperature > 0);
  const rows = whole.map((cell) => {
    const tries = Math.min(8, cell.n);
    const length = (cell.tokens / (cell.n * cell.correct.length)).toFixed(0);
    return `| ${model} | ${nameOf(cell)} | ${shown(estimate(cell, 1))} | ${shown(estimate(cell, tries))} | ${length} | ${cell.correct.length} | ${cell.device} |`;
  });
  return rows.join('\n');
}

function point(x: number, of: Estimate) {
  return { x, y: of.mean, low: of.low, high: of.high };
}

/** Accuracy against the limit on thinking, a series for every model and cell that was measured with several. */
function thinkingSeries(model: string, cells: readonly Cell[]): PlotSeries[] {
  const names = [...new Set(cells.filter(({ maxThinking }) => maxThinking !== null).map(nameOf))];
  return names.map((name) => ({
    name: `${model} ${name}`,
    points: cells
      .filter((cell) => nameOf(cell) === name && cell.maxThinking !== null)
      .sort((a, b) => (a.maxThinking as number) - (b.maxThinking as number))
      .map((cell) => point(cell.maxThinking as number, estimate(cell, 1))),
  }));
}

/** pass@k against k. */
function sampleSeries(model: string, cells: readonly Cell[]): PlotSeries[] {
  return cells
    .filter(({ maxThinking, n }) => maxThinking === null && n > 1)
    .map((cell) => ({
      name: `${model} ${nameOf(cell)}`,
      points: [1, 2, 4, 8, 16, 32, 64].filter((k) => k <= cell.n).map((k) => point(k, estimate(cell, k))),
    }));
}

function write(file: string, plot: Plot): void {
  if (plot.series.length === 0) return;
  writeFileSync(join(MODELS, file), renderPlot(plot));
  process.stderr.write(`${join(MODELS, file)}\n`);
}

/** @returns the table; the curves are written. */
export function report(): string {
  const models = readdirSync(MODELS).filter((name) => existsSync(join(MODELS, name, 'results.jsonl')));
  const measured = models.map((model) => ({ model, cells: cellsOf(model) }));
  const known = measured.flatMap(({ model, cells }) => curvesOf(model, cells));
  writeFileSync(MEASURED, `${JSON.stringify(known, null, 2)}\n`);
  process.stderr.write(`${MEASURED}\n`);
  write('thinking.svg', {
    title: 'More thinking',
    note: 'pass@1 on held-out problems, 95 % intervals',
    x: { label: 'most tokens of thinking' },
    y: { label: 'accuracy' },
    series: measured.flatMap(({ model, cells }) => thinkingSeries(model, cells)),
  });
  write('samples.svg', {
    title: 'More samples',
    note: 'pass@k on held-out problems, 95 % intervals',
    x: { label: 'samples (k)', ticks: [1, 2, 4, 8, 16, 32, 64] },
    y: { label: 'solved' },
    series: measured.flatMap(({ model, cells }) => sampleSeries(model, cells)),
  });
  const head = '| model | task | pass@1, % | pass@8, % | tokens | problems | device |\n|---|---|---|---|---|---|---|';
  return [head, ...measured.map(({ model, cells }) => table(model, cells))].join('\n');
}
