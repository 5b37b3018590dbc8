/**
 * The cost on a client's GPU: the paper's form with what it leaves out put back. Weights are read at every step, once for all
 * trials; weights and KV have precisions of their own; prefill, KV writes and trials of unequal length count; a mixture of
 * experts reads more experts the more trials run. With no weight bytes, shared prompt reads, two bytes an element and
 * `idealised` it is Eq. 4, 8 and 9 again, which a test checks. Activations and norms are not modelled.
 */
import { checkNumber } from '../errors.ts';
import { addCosts, type Cost, type CostByClass, totalCost, zeroCosts } from '../ledger/cost.ts';
import { attendedArea, attendedRows, attentionBudget, type CostAttention } from './attention.ts';
import { type CostPlan, checkPlan, KINETICS_INTENSITY, type PlanCost, planCost } from './plan.ts';
import {
  groupSize,
  type KvPrecision,
  kvElementBytes,
  kvElements,
  type ModelShape,
  parameterCounts,
  parametersRead,
  WEIGHT_PRECISION_BYTES,
  type WeightPrecision,
} from './shapes.ts';

/** A model in numbers. */
export interface DeviceModel {
  /** Parameters multiplied with a token whose logits are wanted. */
  readonly perToken: number;
  /** Of those, the head's. */
  readonly head: number;
  /** Parameters that a step with this many tokens reads, the head included. */
  readonly read: (tokens: number) => number;
  readonly layers: number;
  /** D. */
  readonly kvElements: number;
  /** r. */
  readonly groupSize: number;
  /** w_b: bytes of a weight. */
  readonly weightBytes: number;
  /** k_b: bytes of a KV element. */
  readonly kvBytes: number;
}

/** What a device sustains. Seconds and FLOPs and bytes per second. */
export interface DeviceFigures {
  /** F. */
  readonly flops: number;
  /** W. */
  readonly bandwidth: number;
  readonly dispatchSeconds: number;
}

/** How the runtime works. */
export interface DeviceTerms {
  /** One read of the prompt's KV serves all trials. Default false: each row reads its own pages. */
  readonly sharedReads?: boolean;
  /** The prompt is computed, once for all trials. Default true. */
  readonly prefill?: boolean;
  /** Prompt tokens of one pass; each pass reads all weights but the head. Default 256. */
  readonly prefillChunk?: number;
  /** Layers that stay dense under any policy. Default 0. */
  readonly denseLayers?: number;
  /** Dispatches of a step. Default: 9 a layer and 6. */
  readonly dispatchesPerStep?: number;
  /**
   * The paper's idealisations: areas instead of sums over rows, a search also below the budget, KV written for nothing.
   * Default false.
   */
  readonly idealised?: boolean;
}

export interface DeviceSeconds {
  /** At least this: compute and traffic perfectly overlapped, prefill and decode one after the other. */
  readonly roofline: number;
  /** Compute and traffic one after the other. */
  readonly additive: number;
  /** Of both, what dispatching takes. */
  readonly dispatching: number;
}

export interface DeviceCost extends PlanCost {
  readonly flops: number;
  readonly bytes: number;
  /** `other` stays zero: it is not modelled. */
  readonly classes: CostByClass;
  /** Steps one after the other: passes of the prompt and the longest trial. */
  readonly steps: number;
  readonly dispatches: number;
  /** Null without figures of a device. */
  readonly seconds: DeviceSeconds | null;
}

/** A shape with its precisions. */
export function deviceModel(
  shape: ModelShape,
  precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision },
): DeviceModel {
  const { perToken, head } = parameterCounts(shape);
  return {
    perToken,
    head,
    read: (tokens) => parametersRead(shape, tokens),
    layers: shape.layers,
    kvElements: kvElements(shape),
    groupSize: groupSize(shape),
    weightBytes: WEIGHT_PRECISION_BYTES[precision.weights],
    kvBytes: kvElementBytes(shape, precision.kv),
  };
}

type Terms = Required<DeviceTerms>;

function filledIn(model: DeviceModel, terms: DeviceTerms): Terms {
  const { prefillChunk = 256, denseLayers = 0, dispatchesPerStep = 9 * model.layers + 6 } = terms;
  checkNumber('prefillChunk', prefillChunk, { min: 1, integer: true });
  checkNumber('denseLayers', denseLayers, { min: 0, max: model.layers, integer: true });
  checkNumber('dispatchesPerStep', dispatchesPerStep, { min: 0 });
  const { sharedReads = false, prefill = true, idealised = false } = terms;
  return { sharedReads, prefill, prefillChunk, denseLayers, dispatchesPerStep, idealised };
}

/** Parameters read over all decode steps: what a step reads depends on how many trials still run. */
function parametersOverSteps(read: DeviceModel['read'], lengths: readonly number[]): number {
  const rising = [...lengths].sort((a, b) => a - b);
  let sum = 0;
  let done = 0;
  for (const [i, length] of rising.entries()) {
    if (length > done) sum += (length - done) * read(rising.length - i);
    done = Math.max(done, length);
  }
  return sum;
}

/** KV tokens of all trials: what queries are multiplied with, and what is read for it. */
interface Tokens {
  readonly multiplied: number;
  readonly read: number;
}

function denseTokens({ prompt, lengths }: CostPlan, { sharedReads, idealised }: Terms): Tokens {
  const sum = idealised ? attendedArea : attendedRows;
  let multiplied = 0;
  let own = 0;
  for (const length of lengths) {
    multiplied += sum(prompt, length, Number.POSITIVE_INFINITY);
    own += sum(0, length, Number.POSITIVE_INFINITY);
  }
  // Whoever runs longest keeps the prompt being read.
  return { multiplied, read: sharedReads ? prompt * Math.max(...lengths) + own : multiplied };
}

function sparseTokens({ prompt, lengths, attention }: CostPlan, { idealised }: Terms): Tokens {
  const sum = idealised ? attendedArea : attendedRows;
  const budget = attentionBudget(attention);
  const multiplied = lengths.reduce((all, length) => all + sum(prompt, length, budget), 0);
  // Trials choose differently: nothing is shared.
  return { multiplied, read: multiplied };
}

/** Tokens whose blocks are scored: the whole context, at every step that cannot attend to all of it. */
function searchedTokens({ prompt, lengths, attention }: CostPlan, { sharedReads, idealised }: Terms): Tokens {
  const sum = idealised ? attendedArea : attendedRows;
  const free = idealised ? 0 : Math.max(0, attentionBudget(attention) + 1 - prompt);
  let multiplied = 0;
  let own = 0;
  let longest = 0;
  for (const length of lengths) {
    const skipped = Math.min(length, free);
    longest = Math.max(longest, length - skipped);
    const all = sum(prompt, length, Number.POSITIVE_INFINITY) - sum(prompt, skipped, Number.POSITIVE_INFINITY);
    multiplied += all;
    own += all - prompt * (length - skipped);
  }
  return { multiplied, read: sharedReads ? prompt * longest + own : multiplied };
}

function decodeCosts(model: DeviceModel, plan: CostPlan, terms: Terms): CostByClass {
  const { perToken, read, layers, kvElements: D, groupSize: r, weightBytes, kvBytes } = model;
  const { attention, lengths } = plan;
  const rows = lengths.reduce((all, length) => all + length, 0);
  const costs = zeroCosts();
  costs.linear = { flops: 2 * perToken * rows, bytes: weightBytes * parametersOverSteps(read, lengths) };
  if (!terms.idealised) costs.kvWrite.bytes = kvBytes * D * rows;

  const attend = ({ multiplied, read: tokens }: Tokens, part: number) => {
    costs.attention.flops += part * 2 * r * D * multiplied;
    costs.attention.bytes += part * kvBytes * D * tokens;
  };
  if (attention.kind === 'dense') {
    attend(denseTokens(plan, terms), 1);
    return costs;
  }
  const dense = terms.denseLayers / layers;
  if (dense > 0) attend(denseTokens(plan, terms), dense);
  attend(sparseTokens(plan, terms), 1 - dense);
  if (attention.kind === 'blockTopK')
    costs.search = searchCost(model, attention, searchedTokens(plan, terms), 1 - dense);
  return costs;
}

/** One dot product for each query head and block; blocks are read as one mean key for each KV head. */
function searchCost(
  { kvElements: D, groupSize: r, kvBytes }: DeviceModel,
  { blockSize }: Extract<CostAttention, { kind: 'blockTopK' }>,
  { multiplied, read }: Tokens,
  part: number,
): Cost {
  return { flops: (part * r * D * multiplied) / blockSize, bytes: (part * kvBytes * D * read) / (2 * blockSize) };
}

/** The prompt but its last token, which the first decode step computes; dense, once for all trials. */
function prefillCosts(model: DeviceModel, prompt: number, terms: Terms): { costs: CostByClass; passes: number } {
  const costs = zeroCosts();
  const rows = Math.max(0, prompt - 1);
  if (!terms.prefill || rows === 0) return { costs, passes: 0 };
  const { perToken, head, read, kvElements: D, groupSize: r, weightBytes, kvBytes } = model;
  const chunk = terms.prefillChunk;
  const passes = Math.ceil(rows / chunk);
  const full = passes - 1;
  // Each pass reads the keys and values up to its end.
  const kvTokens = (chunk * full * (full + 1)) / 2 + rows;
  costs.linear = {
    flops: 2 * (perToken - head) * rows,
    bytes: weightBytes * (full * (read(chunk) - head) + read(rows - full * chunk) - head),
  };
  costs.attention = { flops: r * D * rows * (rows + 1), bytes: kvBytes * D * kvTokens };
  if (!terms.idealised) costs.kvWrite.bytes = kvBytes * D * rows;
  return { costs, passes };
}

function secondsOf(
  phases: readonly Cost[],
  dispatches: number,
  { flops, bandwidth, dispatchSeconds }: DeviceFigures,
): DeviceSeconds {
  const dispatching = dispatches * dispatchSeconds;
  let roofline = dispatching;
  let additive = dispatching;
  for (const phase of phases) {
    roofline += Math.max(phase.flops / flops, phase.bytes / bandwidth);
    additive += phase.flops / flops + phase.bytes / bandwidth;
  }
  return { roofline, additive, dispatching };
}

/** @throws ReckonError `bad-option` for figures that are no speeds. */
export function checkFigures(figures: DeviceFigures): DeviceFigures {
  checkNumber('figures.flops', figures.flops, { min: 0, exclusiveMin: true, max: Number.MAX_VALUE });
  checkNumber('figures.bandwidth', figures.bandwidth, { min: 0, exclusiveMin: true, max: Number.MAX_VALUE });
  checkNumber('figures.dispatchSeconds', figures.dispatchSeconds, { min: 0, max: Number.MAX_VALUE });
  return figures;
}

/**
 * A plan on a device. I is F / W where there are figures, and the paper's otherwise, unless given.
 * @throws ReckonError `bad-option` for a plan, terms or figures that make no sense.
 */
export function deviceCost(
  model: DeviceModel,
  plan: CostPlan,
  terms: DeviceTerms = {},
  device: { readonly figures?: DeviceFigures | undefined; readonly intensity?: number | undefined } = {},
): DeviceCost {
  checkPlan(plan);
  const figures = device.figures ? checkFigures(device.figures) : null;
  const intensity = device.intensity ?? (figures ? figures.flops / figures.bandwidth : KINETICS_INTENSITY);
  const filled = filledIn(model, terms);
  const decode = decodeCosts(model, plan, filled);
  const { costs: prefill, passes } = prefillCosts(model, plan.prompt, filled);
  const phases = [totalCost(prefill), totalCost(decode)];

  const classes = zeroCosts();
  addCosts(classes, prefill);
  addCosts(classes, decode);
  const { flops, bytes } = totalCost(classes);
  const steps = passes + Math.max(...plan.lengths);
  const dispatches = steps * filled.dispatchesPerStep;
  return {
    ...planCost(flops / 1e12, (intensity * bytes) / 1e12, intensity),
    flops,
    bytes,
    classes,
    steps,
    dispatches,
    seconds: figures ? secondsOf(phases, dispatches, figures) : null,
  };
}
