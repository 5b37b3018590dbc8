/** In which precision weights and KV lie in memory, as the conditions of the shaders. Arithmetic is f32 throughout. */
import type { Gpu } from '../gpu/index.ts';

export type Precision = 'f32' | 'f16';

/** `int8`: codes of −127 … 127 and one f32 scale for each token's head, of keys and of values. */
export type KvPrecision = Precision | 'int8';

export interface Precisions {
  readonly weights: Precision;
  readonly kv: KvPrecision;
}

/** Bytes of one number. */
export const BYTES: Record<Precision, number> = { f32: 4, f16: 2 };

/** Bytes that one head of one token's keys, or values, takes in the cache. */
export function kvHeadBytes(headDim: number, precision: KvPrecision): number {
  return precision === 'int8' ? headDim + 4 : headDim * BYTES[precision];
}

/** WESL conditions for shaders that import lib/numbers. `f16`: only where half precision is used and native. */
export function precisionConditions(gpu: Gpu, { weights, kv }: Precisions): Record<string, boolean> {
  const half = weights === 'f16' || kv === 'f16';
  return {
    half_weights: weights === 'f16',
    half_kv: kv === 'f16',
    int8_kv: kv === 'int8',
    half_summaries: kv !== 'f32',
    f16: half && gpu.profile.features.f16,
  };
}
