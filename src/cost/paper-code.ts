/**
 * The cost as the authors' code computes it, to the last bit, defects included: for comparison with their numbers, not for
 * decisions. What is wrong with it: docs/cost-model.md. After cost_model/utils.py of Infini-AI-Lab/Kinetics (MIT).
 */
import { attentionBudget } from './attention.ts';
import { type CostPlan, checkPlan, expectedOverTrials, KINETICS_INTENSITY, type PlanCost, planCost } from './plan.ts';
import { type ModelShape, parameterCounts } from './shapes.ts';

/** A model as the authors' functions take it. */
export interface CodeModel {
  /** P. */
  readonly parameters: number;
  readonly heads: number;
  readonly kvHeads: number;
  /** Head size × layers. */
  readonly width: number;
}

type Cost = [compute: number, memory: number];

const TERA = 1e-12;

/** Tera-eFLOPs of N trials with dense attention. */
export function codeDense(
  { parameters, heads, kvHeads, width }: CodeModel,
  intensity: number,
  prompt: number,
  tokens: number,
  trials: number,
): Cost {
  const compute = (2 * parameters * tokens + 2 * (2 * prompt + tokens) * tokens * heads * width) * trials * TERA;
  const memory = 2 * (2 * prompt + tokens * trials) * tokens * kvHeads * width * intensity * TERA;
  return [compute, memory];
}

/** Tera-eFLOPs with a budget of tokens that are found for nothing. The ramp is added where it must be subtracted. */
export function codeTopK(
  { parameters, heads, kvHeads, width }: CodeModel,
  intensity: number,
  prompt: number,
  budget: number,
  tokens: number,
  trials: number,
): Cost {
  const attended = budget * tokens + 0.5 * Math.max(0, budget - prompt) ** 2;
  const compute = (2 * parameters * tokens + 4 * attended * heads * width) * trials * TERA;
  const memory = 4 * attended * kvHeads * width * trials * intensity * TERA;
  return [compute, memory];
}

/** Tera-eFLOPs of block top-k. Wrong, down to below zero, where trials end before they reach the budget. */
export function codeBlockTopK(
  { parameters, heads, kvHeads, width }: CodeModel,
  intensity: number,
  prompt: number,
  blocks: { readonly size: number; readonly budget: number },
  tokens: number,
  trials: number,
): Cost {
  const attended = blocks.budget * tokens - 0.5 * Math.max(0, blocks.budget - prompt) ** 2;
  const searched = Math.floor((2 * prompt + tokens) / blocks.size) * tokens * heads * width;
  const compute = (2 * parameters * tokens + 4 * attended * heads * width + searched) * trials * TERA;
  const read = Math.floor((2 * prompt + tokens * trials) / blocks.size) * tokens * kvHeads * width;
  // Here, and only here, the two factors are multiplied first.
  const memory = (4 * attended * kvHeads * width * trials + read) * (intensity * TERA);
  return [compute, memory];
}

/** A shape as the authors would enter it: their own P where they have one, otherwise the active parameters. */
export function codeModel(shape: ModelShape): CodeModel {
  return {
    parameters: shape.codeParameters ?? parameterCounts(shape).active,
    heads: shape.heads,
    kvHeads: shape.kvHeads,
    width: shape.headDim * shape.layers,
  };
}

/**
 * A plan by the authors' functions. Trials of unequal length: the mean over them, as in their `expected_cost`. A window is
 * charged like top-k, whose search is free too.
 * @throws ReckonError `bad-option` for a plan that makes no sense.
 */
export function paperCodeCost(model: CodeModel, plan: CostPlan, intensity = KINETICS_INTENSITY): PlanCost {
  const { prompt, lengths, attention } = checkPlan(plan);
  const trials = lengths.length;
  const budget = attentionBudget(attention);
  const [compute, memory] = expectedOverTrials(lengths, (tokens) => {
    if (attention.kind === 'dense') return codeDense(model, intensity, prompt, tokens, trials);
    if (attention.kind !== 'blockTopK') return codeTopK(model, intensity, prompt, budget, tokens, trials);
    return codeBlockTopK(model, intensity, prompt, { size: attention.blockSize, budget }, tokens, trials);
  });
  return planCost(compute, memory, intensity);
}
