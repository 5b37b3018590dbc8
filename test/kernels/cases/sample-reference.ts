/** Sampling by its definition, in float64 with sorting, and as scores of every token, so that near-ties can be told. */
import type { ResolvedSampling } from '../../../src/kernels/sample.ts';

const U32 = 0xffffffffn;

/** Philox2x32-10 in whole numbers: both output words. */
export function philox2x32(key: number, c0: number, c1: number): [number, number] {
  let [x, y, k] = [BigInt(c0), BigInt(c1), BigInt(key)];
  for (let round = 0; round < 10; round++) {
    const product = x * 0xd256d193n;
    [x, y] = [(product >> 32n) ^ k ^ y, product & U32];
    k = (k + 0x9e3779b9n) & U32;
  }
  return [Number(x), Number(y)];
}

/** −ln(−ln(u)) of the top 24 bits of a word. */
export function gumbelOf(word: number): number {
  return -Math.log(-Math.log(((word >>> 8) + 0.5) / 2 ** 24));
}

export interface ReferenceDraw {
  /** Per token: adjusted logit / T + noise where kept, −Infinity where not. Greedy: the adjusted logit. */
  scores: Float64Array;
  token: number;
  /** Raw log-probability per token. */
  logprobs: Float64Array;
}

export function referenceDraw(
  logits: ArrayLike<number>,
  sampling: ResolvedSampling,
  seen: ReadonlySet<number>,
  position: number,
): ReferenceDraw {
  const raw = Float64Array.from(logits, (x) => (Number.isFinite(x) ? x : Number.NEGATIVE_INFINITY));
  const max = raw.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const lnSum = Math.log(raw.reduce((sum, x) => sum + Math.exp(x - max), 0));
  const logprobs = raw.map((x) => x - max - lnSum);

  const y = raw.map((x, token) => {
    if (!seen.has(token)) return x;
    return x > 0 ? x / sampling.repetitionPenalty : x * sampling.repetitionPenalty;
  });
  for (const [token, bias] of sampling.biases) y[token]! += bias;

  const { temperature } = sampling;
  const scores = new Float64Array(y.length).fill(Number.NEGATIVE_INFINITY);
  if (temperature === 0) scores.set(y);
  else {
    const high = Math.floor(sampling.seed / 2 ** 32);
    const key = ((sampling.seed % 2 ** 32) ^ Math.imul(high, 0x9e3779b9)) >>> 0;
    for (const token of keptTokens(y, sampling)) {
      scores[token] = y[token]! / temperature + gumbelOf(philox2x32(key, token, position)[0]);
    }
  }
  let token = 0;
  for (let i = 1; i < scores.length; i++) if (scores[i]! > scores[token]!) token = i;
  return { scores, token, logprobs };
}

/** Tokens that top-k, top-p and min-p leave, from adjusted logits. */
export function keptTokens(y: Float64Array, { temperature, topK, topP, minP }: ResolvedSampling): number[] {
  let order = Array.from(y.keys())
    .filter((token) => y[token]! > Number.NEGATIVE_INFINITY)
    .sort((a, b) => y[b]! - y[a]! || a - b);
  if (order.length === 0) return [];
  if (topK > 0 && topK < order.length) {
    const least = y[order[topK - 1]!]!;
    order = order.filter((token) => y[token]! >= least);
  }
  const best = y[order[0]!]!;
  const weight = (token: number) => Math.exp((y[token]! - best) / temperature);
  if (topP < 1) {
    const goal = topP * order.reduce((sum, token) => sum + weight(token), 0);
    let mass = 0;
    let count = 0;
    while (count < order.length && (mass < goal || count === 0)) mass += weight(order[count++]!);
    const least = y[order[count - 1]!]!;
    order = order.filter((token) => y[token]! >= least);
  }
  return order.filter((token) => weight(token) >= minP);
}
