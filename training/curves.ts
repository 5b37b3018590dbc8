/**
 * Accuracy curves of the embedded models, fitted to what `evaluate.py` measured: what the planner knows of them before any experiment
 * of one's own. `npm run report` writes them to src/cost/measured.json.
 */
import { type AccuracyModel, type AccuracyParameters, throughPassAt1 } from '../src/cost/accuracy.ts';
import { fitAccuracy, type LabPoint } from '../src/cost/accuracy-fit.ts';

/** A line of results.jsonl. */
export interface Cell {
  readonly task: string;
  readonly difficulty: number;
  readonly n: number;
  readonly temperature: number;
  readonly maxThinking: number | null;
  /** Most tokens of a sample, thinking and answer. */
  readonly maxTokens: number;
  /** Right samples of each problem, of `n`. */
  readonly correct: readonly number[];
  /** Of all samples together. */
  readonly tokens: number;
  readonly device: string;
}

/**
 * The unbiased estimate of the chance that at least one of k samples is right, `correct` of `n` having been (Chen et al., 2021,
 * arXiv 2107.03374, equation 1).
 */
export function passAtK(n: number, correct: number, k: number): number {
  if (n - correct < k) return 1;
  let none = 1;
  for (let i = n - correct + 1; i <= n; i++) none *= 1 - k / i;
  return 1 - none;
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** pass@k, mean over the problems of a cell. */
export function passOf({ n, correct }: Cell, k: number): number {
  return mean(correct.map((right) => passAtK(n, right, k)));
}

const TRIES = [1, 2, 4, 8];
/** Where nothing was measured: how problems differ, how suddenly thoughts end, how wrong answers agree, what sparse attention loses. */
const ASSUMED = { spread: 1, slope: 3, rivalry: 0.3, halfBudget: 32 };
/** No curve goes through 0, or through all that its thoughts have the time for. */
const LEAST = 0.002;
const MOST = 0.98;

const digits = (value: number) => Number(value.toPrecision(4));

function pointsOf(cell: Cell): LabPoint[] {
  const tokens = cell.maxThinking ?? cell.maxTokens;
  return TRIES.filter((k) => k <= cell.n).map((trials) => {
    const problems = cell.correct.length;
    return { tokens, trials, selection: 'verifier', accuracy: passOf(cell, trials), problems };
  });
}

/** The curve through the cells of one task and difficulty; null without samples of unbound thought. */
function curveOf(model: string, task: string, cells: readonly Cell[]): AccuracyModel | null {
  // Of several lengths the greatest: what comes of thinking as long as one likes. The others count as limits do.
  const [free] = cells.filter(({ maxThinking }) => maxThinking === null).sort((a, b) => b.maxTokens - a.maxTokens);
  if (!free) return null;
  const { n, tokens, correct, device, maxTokens } = free;
  const shape = { ...ASSUMED, halfLength: tokens / (n * correct.length) };
  const done = 1 / (1 + (shape.halfLength / maxTokens) ** shape.slope);
  const prior = throughPassAt1(Math.min(MOST * done, Math.max(LEAST, passOf(free, 1))), maxTokens, shape);
  const { parameters } = fitAccuracy(cells.flatMap(pointsOf), prior);
  const names = Object.keys(parameters) as (keyof AccuracyParameters)[];
  const limits = cells.flatMap(({ maxThinking }) => (maxThinking === null ? [] : [maxThinking]));
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  return {
    model,
    task,
    parameters: Object.fromEntries(
      names.map((name) => [name, digits(parameters[name])]),
    ) as unknown as AccuracyParameters,
    origin: 'fitted',
    evidence: [
      `pass@1 ${percent(passOf(free, 1))}${n >= 8 ? `, pass@8 ${percent(passOf(free, 8))}` : ''}`,
      `of ${correct.length} held-out problems, ${n} samples each (${device})`,
      limits.length > 0 ? `and limits of ${limits.join(', ')} tokens` : '; how it grows with length is assumed',
    ]
      .join(' ')
      .replace(' ;', ';'),
  };
}

/** Curves of all tasks and difficulties ("kk/4") of a model. */
export function curvesOf(model: string, cells: readonly Cell[]): AccuracyModel[] {
  const drawn = cells.filter(({ temperature }) => temperature > 0);
  const names = [...new Set(drawn.map(({ task, difficulty }) => `${task}/${difficulty}`))];
  return names.flatMap((name) => {
    const own = drawn.filter(({ task, difficulty }) => `${task}/${difficulty}` === name);
    return curveOf(model, name, own) ?? [];
  });
}
