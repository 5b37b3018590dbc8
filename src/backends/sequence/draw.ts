/** Draws a token from logits on the host, by the same rules as shaders/sample/draw.wesl. */
import type { ResolvedSampling } from '../../kernels/sample.ts';
import { streamKey } from '../../kernels/sampler-state.ts';
import { GUMBEL_RANGE, gumbel } from './philox.ts';

export interface Drawn {
  readonly token: number;
  /** Under the model's own distribution, before anything was changed. */
  readonly logprob: number;
}

const DEAD = Number.NEGATIVE_INFINITY;

/** ln Σ exp(x) over what is finite; −∞ where nothing is. */
function logSumExp(values: ArrayLike<number>): number {
  let max = DEAD;
  for (let i = 0; i < values.length; i++) if (values[i]! > max && Number.isFinite(values[i]!)) max = values[i]!;
  if (max === DEAD) return DEAD;
  let sum = 0;
  for (let i = 0; i < values.length; i++) if (Number.isFinite(values[i]!)) sum += Math.exp(values[i]! - max);
  return max + Math.log(sum);
}

/** ln p of each of `tokens` under the softmax of `logits`. */
export function logProbabilities(logits: ArrayLike<number>, tokens: Iterable<number>): number[] {
  const norm = logSumExp(logits);
  return Array.from(tokens, (token) => logits[token]! - norm);
}

/** Logits after penalty and biases; what is not finite is out. */
function adjusted(logits: Float32Array, sampling: ResolvedSampling, held: Iterable<number>): Float64Array {
  const values = Float64Array.from(logits, (x) => (Number.isFinite(x) ? x : DEAD));
  const penalty = sampling.repetitionPenalty;
  if (penalty !== 1) {
    for (const token of new Set(held)) {
      const x = values[token]!;
      values[token] = x > 0 ? x / penalty : x * penalty;
    }
  }
  for (const [token, bias] of sampling.biases) values[token]! += bias;
  return values;
}

function argmax(values: Float64Array): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (values[i]! > values[best]!) best = i;
  return best;
}

/** The `count`-th largest of `values`. */
function nthLargest(values: Float64Array, count: number): number {
  return values.toSorted()[values.length - count]!;
}

/** The least s that top-k, top-p and min-p leave; `scaled` has its maximum at 0. */
function threshold(scaled: Float64Array, { topK, topP, minP }: ResolvedSampling): number {
  let least = topK > 0 && topK < scaled.length ? nthLargest(scaled, topK) : DEAD;
  if (topP < 1) {
    const kept = scaled
      .filter((s) => s >= least && s !== DEAD)
      .sort()
      .reverse();
    const mass = kept.reduce((sum, s) => sum + Math.exp(s), 0);
    let [count, reached] = [0, 0];
    while (count < kept.length && (count === 0 || reached < topP * mass)) reached += Math.exp(kept[count++]!);
    least = kept[Math.max(0, count - 1)] ?? DEAD;
  }
  return Math.max(least, Math.log(minP));
}

/**
 * @param held tokens in the lane, which the penalty counts.
 * @param position of the token to be drawn, in its lane.
 */
export function drawToken(
  logits: Float32Array,
  sampling: ResolvedSampling,
  held: Iterable<number>,
  position: number,
): Drawn {
  const values = adjusted(logits, sampling, held);
  const top = argmax(values);
  const max = values[top]!;
  if (max === DEAD) return { token: 0, logprob: Number.NaN };
  let token = top;
  if (sampling.temperature > 0) {
    for (let i = 0; i < values.length; i++) values[i] = (values[i]! - max) / sampling.temperature;
    const least = threshold(values, sampling);
    const key = streamKey(sampling.seed);
    let best = gumbel(key, top, position);
    for (let i = 0; i < values.length; i++) {
      const s = values[i]!;
      if (s < least || s + GUMBEL_RANGE.max < best || i === top) continue;
      const value = s + gumbel(key, i, position);
      if (value > best || (value === best && i < token)) [best, token] = [value, i];
    }
  }
  return { token, logprob: logProbabilities(logits, [token])[0]! };
}
