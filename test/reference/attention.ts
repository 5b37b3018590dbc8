/** Attention of one query over given keys and values, by its definition, in float64. */

export interface AttentionShape {
  /** Query heads, a multiple of `kvHeads`; query head h reads KV head ⌊h · kvHeads / heads⌋. */
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Factor on the dot products. Default 1/√headDim. */
  scale?: number;
}

/**
 * softmax(scale · q·Kᵀ) · V, head by head.
 * @param query [heads · headDim]
 * @param keys one [kvHeads · headDim] per position attended; `values` likewise. At least one.
 * @returns [heads · headDim]
 */
export function attend(
  query: ArrayLike<number>,
  keys: readonly ArrayLike<number>[],
  values: readonly ArrayLike<number>[],
  { heads, kvHeads, headDim, scale = 1 / Math.sqrt(headDim) }: AttentionShape,
): Float64Array {
  const out = new Float64Array(heads * headDim);
  for (let head = 0; head < heads; head++) {
    const q = head * headDim;
    const kv = Math.floor((head * kvHeads) / heads) * headDim;
    const scores = keys.map((key) => {
      let dot = 0;
      for (let i = 0; i < headDim; i++) dot += query[q + i]! * key[kv + i]!;
      return dot * scale;
    });
    const max = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const weights = scores.map((score) => Math.exp(score - max));
    const sum = weights.reduce((a, b) => a + b, 0);
    for (const [position, value] of values.entries()) {
      const weight = weights[position]! / sum;
      for (let i = 0; i < headDim; i++) out[q + i]! += weight * value[kv + i]!;
    }
  }
  return out;
}
