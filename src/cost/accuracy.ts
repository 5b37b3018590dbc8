/**
 * How accurate a model is on a task, by thinking length, number of trials and KV budget: a curve of six parameters, so that a
 * plan can be judged before anything runs. A model of our own, not of the paper, which looks up measured accuracies:
 *
 * - Problems differ. The chance that one trial with all the time it wants solves a problem has, over the problems, logits
 *   `location + spread · ln(u / (1 − u))`, u uniform.
 * - Thinking takes time. Of the trials that would get it right, n / (n + …) are done by n tokens:
 *   1 / (1 + (halfLength / n)^slope).
 * - Sparse attention loses some: 1 / (1 + (budget / halfBudget)²) of them where nearly all of the context is left out, less
 *   where less is.
 * - A verifier finds a right answer where there is one. A majority may fall for the strongest wrong answer, which gets a
 *   part `rivalry` of the wrong votes.
 */
import { checkNumber } from '../errors.ts';

export interface AccuracyParameters {
  readonly location: number;
  readonly spread: number;
  /** Tokens. */
  readonly halfLength: number;
  readonly slope: number;
  /** 0 to 1. */
  readonly rivalry: number;
  /** Tokens attended to for each KV head. */
  readonly halfBudget: number;
}

/** How one answer is chosen among the trials': a verifier that knows, or the most frequent one. */
export type PlanSelection = 'verifier' | 'majority';

export interface AccuracyQuestion {
  /** Most tokens a trial may generate. */
  readonly tokens: number;
  readonly trials: number;
  readonly selection: PlanSelection;
  /** Tokens attended to at most; default: all. */
  readonly kvBudget?: number;
  /** Tokens before the first generated one; matters to `kvBudget` only. Default 0. */
  readonly prompt?: number;
}

/** Votes are counted exactly, which takes their number squared. */
export const MAX_TRIALS = 256;

/** Problems that stand for all, evenly over their quantiles. */
const NODES = Array.from({ length: 32 }, (_, i) => Math.log((i + 0.5) / (32 - i - 0.5)));

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/**
 * Expected accuracy, 0 to 1.
 * @throws ReckonError `bad-option` for a question that makes no sense.
 */
export function expectedAccuracy(parameters: AccuracyParameters, question: AccuracyQuestion): number {
  const { tokens, selection, kvBudget = Number.POSITIVE_INFINITY, prompt = 0 } = question;
  checkNumber('tokens', tokens, { min: 0 });
  const trials = checkNumber('trials', question.trials, { min: 1, max: MAX_TRIALS, integer: true });
  const { location, spread, halfLength, slope, rivalry, halfBudget } = parameters;
  const done = tokens === 0 ? 0 : 1 / (1 + (halfLength / tokens) ** slope);
  const leftOut = Math.max(0, 1 - kvBudget / (prompt + tokens));
  const kept = leftOut === 0 ? 1 : 1 - leftOut / (1 + (kvBudget / halfBudget) ** 2);
  const votes = selection === 'majority' && trials > 2 ? voteTable(trials, rivalry) : null;
  let sum = 0;
  for (const node of NODES) {
    const p = done * kept * logistic(location + spread * node);
    if (votes) sum += interpolated(votes, p);
    else sum += selection === 'majority' ? p : 1 - (1 - p) ** trials;
  }
  return sum / NODES.length;
}

const STEPS = 64;
const tables = new Map<string, Float64Array>();

function interpolated(table: Float64Array, p: number): number {
  const at = p * STEPS;
  const low = Math.min(STEPS - 1, Math.floor(at));
  return table[low]! + (at - low) * (table[low + 1]! - table[low]!);
}

/** The vote's accuracy over the chance of a single trial, at even steps from 0 to 1. */
function voteTable(trials: number, rivalry: number): Float64Array {
  const key = `${trials}/${rivalry}`;
  let table = tables.get(key);
  if (!table) {
    if (tables.size >= 64) tables.clear();
    table = Float64Array.from({ length: STEPS + 1 }, (_, i) => voteAccuracy(i / STEPS, trials, rivalry));
    tables.set(key, table);
  }
  return table;
}

/**
 * Chance that the right answer gets most of `trials` votes: each vote is right with chance `p`, the strongest wrong answer's with
 * `rivalry · (1 − p)`, and otherwise for an answer nobody else gives. Ties are drawn by lot.
 */
export function voteAccuracy(p: number, trials: number, rivalry: number): number {
  if (p <= 0 || p >= 1) return p <= 0 ? 0 : 1;
  const rival = rivalry * (1 - p);
  const other = 1 - p - rival;
  let won = 0;
  // x right votes: binomial; of the rest, y for the rival: binomial again.
  let chanceX = (1 - p) ** trials;
  const share = rival / (1 - p);
  for (let x = 0; x <= trials; x++) {
    if (x > 0) chanceX *= ((trials - x + 1) / x) * (p / (1 - p));
    const rest = trials - x;
    if (x === 1) {
      // All votes for different answers, or the rival ahead.
      const single = (1 - share) ** rest + rest * share * (1 - share) ** Math.max(0, rest - 1);
      won += (chanceX * Math.min(1, single)) / trials;
    } else if (x > 1) won += chanceX * ahead(x, rest, share, other === 0);
  }
  return Math.min(1, won);
}

/** Chance that of `rest` votes fewer than `x` go to the rival, a tie counting half. */
function ahead(x: number, rest: number, share: number, certain: boolean): number {
  if (certain) return rest < x ? 1 : rest === x ? 0.5 : 0;
  let chance = (1 - share) ** rest;
  let sum = 0;
  for (let y = 0; y <= Math.min(x, rest); y++) {
    if (y > 0) chance *= ((rest - y + 1) / y) * (share / (1 - share));
    sum += y === x ? chance / 2 : chance;
  }
  return Math.min(1, sum);
}

/** Where a curve comes from: numbers of others, or a fit to runs of our own. */
export interface AccuracyModel {
  readonly model: string;
  readonly task: string;
  readonly parameters: AccuracyParameters;
  readonly origin: 'prior' | 'fitted';
  /** In words, for people. */
  readonly evidence: string;
}

/**
 * The parameters of which `accuracy` is the accuracy of one trial of up to `tokens` tokens; the rest as in `shape`.
 * @throws ReckonError `bad-option` where too few trials of that shape are done by then.
 */
export function throughPassAt1(
  accuracy: number,
  tokens: number,
  shape: Omit<AccuracyParameters, 'location'>,
): AccuracyParameters {
  const most = expectedAccuracy({ ...shape, location: 40 }, { tokens, trials: 1, selection: 'verifier' });
  checkNumber('accuracy', accuracy, { min: 0, max: most });
  let low = -40;
  let high = 40;
  for (let i = 0; i < 60; i++) {
    const location = (low + high) / 2;
    const reached = expectedAccuracy({ ...shape, location }, { tokens, trials: 1, selection: 'verifier' });
    if (reached < accuracy) low = location;
    else high = location;
  }
  return { ...shape, location: (low + high) / 2 };
}
