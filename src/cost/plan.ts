/** What is to be generated, and what a cost says about it. */
import { checkNumber, ReckonError } from '../errors.ts';
import { type CostAttention, checkAttention } from './attention.ts';

/** I of the paper: 4.5e15 FLOP/s over 8e12 bytes/s (arXiv 2506.05333). */
export const KINETICS_INTENSITY = 562.5;

/** FLOP/s of a B200, in Tera, by which the authors turn Tera-eFLOPs into seconds. */
export const B200_TERAFLOPS = 4500;

export interface CostPlan {
  /** L_in: tokens of the prompt that all trials share. */
  readonly prompt: number;
  /** L_out of each trial, tokens; their number is N. */
  readonly lengths: readonly number[];
  readonly attention: CostAttention;
}

/** All in Tera-eFLOPs: 1e12 FLOPs, or their worth in bytes. */
export interface PlanCost {
  /** I in FLOPs per byte. */
  readonly intensity: number;
  readonly compute: number;
  /** I · bytes. */
  readonly memory: number;
  readonly total: number;
  /** max(compute, memory): both perfectly overlapped (the paper's appendix A.1). */
  readonly maxCost: number;
  /** `total` in seconds of a B200, as the authors convert it. */
  readonly b200Seconds: number;
}

/**
 * `trials` trials of `tokens` tokens each.
 * @throws ReckonError `bad-option`
 */
export function evenPlan(prompt: number, tokens: number, trials: number, attention: CostAttention): CostPlan {
  checkNumber('trials', trials, { min: 1, max: 1e6, integer: true });
  return checkPlan({ prompt, lengths: Array.from({ length: trials }, () => tokens), attention });
}

/** @throws ReckonError `bad-option` naming what makes no sense. */
export function checkPlan(plan: CostPlan): CostPlan {
  checkNumber('prompt', plan.prompt, { min: 0, max: 1e9 });
  if (plan.lengths.length === 0) {
    throw new ReckonError('bad-option', 'The plan has no trials.', { hint: 'Give the length of at least one.' });
  }
  for (const [i, length] of plan.lengths.entries()) checkNumber(`lengths[${i}]`, length, { min: 0, max: 1e9 });
  checkAttention(plan.attention);
  return plan;
}

/** The sums that every preset reports. Arguments in Tera-eFLOPs. */
export function planCost(compute: number, memory: number, intensity: number): PlanCost {
  const total = compute + memory;
  const maxCost = Math.max(compute, memory);
  return { intensity, compute, memory, total, maxCost, b200Seconds: total / B200_TERAFLOPS };
}

/** The mean over a plan's trials of what each would cost if all N were as long as it: E[·] of the paper's Eq. 10. */
export function expectedOverTrials(
  lengths: readonly number[],
  cost: (tokens: number) => readonly [compute: number, memory: number],
): [compute: number, memory: number] {
  const [first] = lengths;
  // Equal lengths need no mean, which could move the last bit.
  if (first !== undefined && lengths.every((length) => length === first)) {
    const [compute, memory] = cost(first);
    return [compute, memory];
  }
  const costs = lengths.map(cost);
  return [pairwiseMean(costs.map(([compute]) => compute)), pairwiseMean(costs.map(([, memory]) => memory))];
}

type Octet = [number, number, number, number, number, number, number, number];

/** Values that are summed by eight running sums; longer lists are halved first. */
const BLOCK = 128;

/** The mean with its sum in numpy's order (pairwise, eight running sums), on which the last bits depend. */
export function pairwiseMean(values: readonly number[]): number {
  return pairwiseSum(values, 0, values.length) / values.length;
}

function pairwiseSum(values: readonly number[], from: number, count: number): number {
  const at = (i: number) => values[from + i] as number;
  if (count < 8) {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += at(i);
    return sum;
  }
  if (count <= BLOCK) {
    const sums = new Float64Array(8);
    const whole = count - (count % 8);
    for (let i = 0; i < whole; i++) sums[i % 8]! += at(i);
    const [a, b, c, d, e, f, g, h] = sums as unknown as Octet;
    let sum = a + b + (c + d) + (e + f + (g + h));
    for (let i = whole; i < count; i++) sum += at(i);
    return sum;
  }
  let half = Math.floor(count / 2);
  half -= half % 8;
  return pairwiseSum(values, from, half) + pairwiseSum(values, from + half, count - half);
}
