/** In which precision weights and KV lie in memory, as the conditions of the shaders. Arithmetic is f32 throughout. */
import type { Gpu } from '../gpu/index.ts';

export type Precision = 'f32' | 'f16';

export interface Precisions {
  readonly weights: Precision;
  readonly kv: Precision;
}

/** Bytes of one number. */
export const BYTES: Record<Precision, number> = { f32: 4, f16: 2 };

/** WESL conditions for shaders that import lib/numbers. `f16`: only where half precision is used and native. */
export function precisionConditions(gpu: Gpu, { weights, kv }: Precisions): Record<string, boolean> {
  const half = weights === 'f16' || kv === 'f16';
  return { half_weights: weights === 'f16', half_kv: kv === 'f16', f16: half && gpu.profile.features.f16 };
}
