/**
 * Which model, how many trials, how long, with how much KV: the best plan within a budget, chosen before anything runs. Unlike
 * the paper's allocation (allocation.ts) it asks no oracle; it trusts an accuracy curve and a cost model, and says so.
 */
import { checkNumber, ReckonError } from '../errors.ts';
import { MAX_TRIALS } from './accuracy.ts';
import { checkAttention } from './attention.ts';
import { checkFigures } from './device-cost.ts';
import { KINETICS_INTENSITY } from './plan.ts';
import { type Candidate, Row } from './planner-row.ts';
import { PLAN_LIMITS, type PlanAdvice, type PlannerRequest } from './planner-types.ts';
import { nothingFits, reasonOf } from './planner-words.ts';

const TRIALS = [1, 2, 4, 8, 16, 32, 64];
/** Lengths considered in each doubling. */
const LENGTHS_PER_DOUBLING = 12;

/** Lengths from `from` on, the same whatever the budget: a larger budget then only adds to the choice. */
function lengthsFrom(from: number, to: number): number[] {
  const lengths: number[] = [];
  for (let i = 0; ; i++) {
    const length = Math.round(from * 2 ** (i / LENGTHS_PER_DOUBLING));
    if (length > to) break;
    if (length !== lengths.at(-1)) lengths.push(length);
  }
  return lengths;
}

/** How many of `lengths`, rising, fit: cost and memory grow with the length. */
function fitting(row: Row, lengths: readonly number[]): number {
  let low = 0;
  let high = lengths.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (row.fits(lengths[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The shortest length of the highest accuracy; null where none fits. */
function bestOf(row: Row, lengths: readonly number[]): Candidate | null {
  const count = fitting(row, lengths);
  let best = -1;
  let accuracy = -1;
  for (let i = 0; i < count; i++) {
    const reached = row.accuracy(lengths[i]!);
    if (reached > accuracy) [best, accuracy] = [i, reached];
  }
  if (best < 0) return null;
  const tokens = lengths[best]!;
  return { row, tokens, accuracy, part: Math.max(...row.used(tokens).values()) };
}

const better = (a: Candidate, b: Candidate) => b.accuracy - a.accuracy || a.part - b.part;

function checked(request: PlannerRequest): Required<PlannerRequest> {
  const { prompt, models, device, budget, intensity = KINETICS_INTENSITY } = request;
  checkNumber('prompt', prompt, { min: 0, integer: true });
  checkFigures(device.figures);
  checkNumber('device.memoryBytes', device.memoryBytes, { min: 0, exclusiveMin: true });
  const maxLanes = checkNumber('device.maxLanes', device.maxLanes ?? MAX_TRIALS, { min: 1, integer: true });
  for (const name of PLAN_LIMITS) {
    const limit = budget[name];
    if (limit !== undefined) checkNumber(`budget.${name}`, limit, { min: 0, exclusiveMin: true });
  }
  if (models.length === 0) {
    throw new ReckonError('bad-option', 'There is no model to plan with.', { hint: 'Give at least one.' });
  }
  const { attentions = [{ kind: 'dense' }], trials = TRIALS, minTokens = 16, selection = 'verifier' } = request;
  for (const attention of attentions) checkAttention(attention);
  for (const count of trials) checkNumber('trials', count, { min: 1, max: MAX_TRIALS, integer: true });
  if (attentions.length === 0 || trials.length === 0) {
    throw new ReckonError('bad-option', 'There is no KV policy or no number of trials to choose from.', {
      hint: 'Leave them out for the default.',
    });
  }
  checkNumber('minTokens', minTokens, { min: 1, integer: true });
  return {
    prompt,
    models,
    device,
    budget,
    intensity,
    attentions,
    trials: trials.filter((count) => count <= maxLanes),
    minTokens,
    selection,
  };
}

/**
 * The best plan that stays within the budget and the memory even when every trial uses all its tokens. More of any limit never
 * makes it worse.
 * @throws ReckonError `over-capacity` when nothing fits, telling the least that would; `bad-option`.
 */
export function planRun(request: PlannerRequest): PlanAdvice {
  const whole = checked(request);
  const { models, attentions, trials, prompt, minTokens } = whole;
  const candidates: Candidate[] = [];
  for (const model of models) {
    const lengths = lengthsFrom(minTokens, model.shape.maxContext - prompt);
    for (const count of trials) {
      for (const attention of attentions) {
        const best = bestOf(new Row(model, count, attention, whole), lengths);
        if (best) candidates.push(best);
      }
    }
  }
  candidates.sort(better);
  const [best] = candidates;
  if (!best) throw nothingFits(whole);
  const other = candidates.find(({ row }) => row.model !== best.row.model || row.trials !== best.row.trials) ?? null;
  const run = best.row.run(best.tokens);
  const runnerUp = other ? other.row.run(other.tokens) : null;
  const bound = boundOf(best);
  return { best: run, runnerUp, bound, reason: reasonOf(best, run, runnerUp, bound) };
}

/** What stops the next longer trials. */
function boundOf({ row, tokens, accuracy }: Candidate): PlanAdvice['bound'] {
  const room = row.model.shape.maxContext - row.request.prompt;
  const next = Math.min(room, Math.max(tokens + 1, Math.round(tokens * 2 ** (1 / LENGTHS_PER_DOUBLING))));
  for (const [name, part] of row.used(next)) if (part > 1) return name;
  if (next <= tokens) return 'context';
  return row.accuracy(room) > accuracy ? 'context' : 'nothing';
}
