/**
 * The cost as the paper states it (arXiv 2506.05333, Eq. 4, 8, 9, 10), with two corrections: the search charges every query
 * head (r), as the authors' code does and their Eq. 9 leaves out; and attention below the budget grows with the length,
 * where Eq. 8 assumes a prompt as long as the budget.
 */
import { attendedArea, attentionBudget } from './attention.ts';
import { type CostPlan, checkPlan, expectedOverTrials, KINETICS_INTENSITY, type PlanCost, planCost } from './plan.ts';
import { groupSize, kvElements, type ModelShape, parameterCounts } from './shapes.ts';

/** A model by the paper's symbols. */
export interface PaperModel {
  /** P; the active ones of a mixture of experts. */
  readonly parameters: number;
  /** D: key and value elements of a token over all layers. */
  readonly kvElements: number;
  /** r: query heads for each KV head. */
  readonly groupSize: number;
}

/** A shape in the paper's symbols. P counts every parameter once, an embedding too. */
export function paperModel(shape: ModelShape): PaperModel {
  return {
    parameters: parameterCounts(shape).active,
    kvElements: kvElements(shape),
    groupSize: groupSize(shape),
  };
}

/** FLOPs and bytes (two for an element) of N trials of n tokens behind a prompt of c. */
function once(model: PaperModel, { prompt: c, attention, lengths }: CostPlan, n: number): [number, number] {
  const { parameters: P, kvElements: D, groupSize: r } = model;
  const N = lengths.length;
  if (attention.kind === 'dense') {
    // Eq. 4. The prompt's KV is read once for all trials; the weights not at all.
    return [2 * P * N * n + 2 * r * N * c * D * n + r * N * D * n * n, 2 * c * D * n + N * D * n * n];
  }
  // Eq. 8 with S in place of B·n.
  const attended = attendedArea(c, n, attentionBudget(attention));
  const compute = 2 * N * P * n + 2 * r * N * D * attended;
  const memory = 2 * N * D * attended;
  if (attention.kind !== 'blockTopK') return [compute, memory];
  // Eq. 9: a mean key for each block, those of the prompt read once for all trials.
  const bs = attention.blockSize;
  return [
    compute + (r * (2 * N * c * D * n + N * D * n * n)) / (2 * bs),
    memory + (2 * c * D * n + N * D * n * n) / (2 * bs),
  ];
}

/**
 * A plan by the paper's equations. Trials of unequal length: expectations over them, as in Eq. 10.
 * @throws ReckonError `bad-option` for a plan that makes no sense.
 */
export function paperCost(model: PaperModel, plan: CostPlan, intensity = KINETICS_INTENSITY): PlanCost {
  const { lengths } = checkPlan(plan);
  const [flops, bytes] = expectedOverTrials(lengths, (tokens) => once(model, plan, tokens));
  return planCost(flops / 1e12, (intensity * bytes) / 1e12, intensity);
}

/** Φ: attention's eFLOPs over those of the parameters, one trial, dense (the paper's section 2; prompt reads left out). */
export function attentionRatio(
  { parameters, kvElements: D, groupSize: r }: PaperModel,
  prompt: number,
  tokens: number,
  intensity = KINETICS_INTENSITY,
): number {
  return (2 * r * prompt * D + (r * D + intensity * D) * tokens) / (2 * parameters);
}
