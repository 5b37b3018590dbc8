/** Sampling by its definition, in float64, with sorting. */
import type { Sampling } from '../../src/engine/types.ts';
import { gumbel } from './philox.ts';

/** Where the draw happens. */
export interface DrawContext {
  /** Position, in its lane, of the token to be drawn. */
  position: number;
  /** Tokens that the repetition penalty counts as present. */
  present?: Iterable<number>;
}

/** Logits after the repetition penalty, then the biases. What is not finite counts as −∞. */
export function adjustedLogits(
  logits: ArrayLike<number>,
  { repetitionPenalty = 1, biases }: Sampling,
  present: Iterable<number> = [],
): Float64Array {
  const adjusted = Float64Array.from(logits, (x) => (Number.isFinite(x) ? x : Number.NEGATIVE_INFINITY));
  for (const token of new Set(present)) {
    const x = adjusted[token]!;
    adjusted[token] = x > 0 ? x / repetitionPenalty : x * repetitionPenalty;
  }
  for (const [token, bias] of biases ?? []) adjusted[token]! += bias;
  return adjusted;
}

/** Σ exp(x) = 1 over the finite entries; the others get 0. */
function softmax(scaled: Float64Array): Float64Array {
  const max = scaled.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (max === Number.NEGATIVE_INFINITY) return new Float64Array(scaled.length);
  const weights = scaled.map((x) => Math.exp(x - max));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
}

/** Puts −∞ where `keep` says no. */
function filter(scaled: Float64Array, keep: (token: number) => boolean): Float64Array {
  return scaled.map((x, token) => (keep(token) ? x : Number.NEGATIVE_INFINITY));
}

/**
 * adjusted logit / T of every token that the filters leave, −∞ for the others. In this order: top-k (all that equal the
 * k-th are kept), top-p (the fewest of the likeliest whose mass reaches p, and all that equal the last), min-p.
 * Temperature must be above 0.
 */
export function keptLogits(
  logits: ArrayLike<number>,
  sampling: Sampling,
  present: Iterable<number> = [],
): Float64Array {
  const { temperature = 1, topK = 0, topP = 1, minP = 0 } = sampling;
  let scaled: Float64Array = adjustedLogits(logits, sampling, present).map((x) => x / temperature);
  if (topK > 0 && topK < scaled.length) {
    const least = scaled.toSorted((a, b) => b - a)[topK - 1]!;
    scaled = filter(scaled, (token) => scaled[token]! >= least);
  }
  if (topP < 1) {
    const probabilities = softmax(scaled);
    const descending = scaled.toSorted((a, b) => b - a);
    const sorted = probabilities.toSorted((a, b) => b - a);
    let count = 1;
    let mass = sorted[0]!;
    while (mass < topP && count < sorted.length) mass += sorted[count++]!;
    const least = descending[count - 1]!;
    scaled = filter(scaled, (token) => scaled[token]! >= least);
  }
  if (minP > 0) {
    const probabilities = softmax(scaled);
    const least = minP * probabilities.reduce((a, b) => Math.max(a, b));
    scaled = filter(scaled, (token) => probabilities[token]! >= least);
  }
  return scaled;
}

/** Probability of each token under the settings, [vocabulary]. At temperature 0 all of it is on one token. */
export function distribution(
  logits: ArrayLike<number>,
  sampling: Sampling,
  present: Iterable<number> = [],
): Float64Array {
  if (sampling.temperature !== 0) return softmax(keptLogits(logits, sampling, present));
  const probabilities = new Float64Array(logits.length);
  probabilities[argmax(adjustedLogits(logits, sampling, present))] = 1;
  return probabilities;
}

/**
 * What the drawn token is the argmax of: kept logit / T + Gumbel noise (Gumbel-max draws from the softmax), or at
 * temperature 0 the adjusted logits. Two implementations agree where the best two are further apart than their rounding.
 */
export function drawScores(logits: ArrayLike<number>, sampling: Sampling, context: DrawContext): Float64Array {
  const { temperature = 1, seed = 0 } = sampling;
  if (temperature === 0) return adjustedLogits(logits, sampling, context.present);
  return keptLogits(logits, sampling, context.present).map((x, token) =>
    x === Number.NEGATIVE_INFINITY ? x : x + gumbel(seed, context.position, token),
  );
}

/** Index of the largest value; the lowest of equals. */
export function argmax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The token drawn. With nothing left to draw from: 0. */
export function sample(logits: ArrayLike<number>, sampling: Sampling, context: DrawContext): number {
  return argmax(drawScores(logits, sampling, context));
}
