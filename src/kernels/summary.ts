/** Page summaries: what a layer's cache keeps of each full page, for selections. Written by shaders/attention/append.wesl. */
import type { AttentionShape } from './attention-shape.ts';
import { BYTES, type KvPrecision } from './precision.ts';

/**
 * `mean`: the mean of the page's stored keys (Kinetics). `minmax`: per channel their least and greatest value (Quest), which
 * bound the score of every key of the page.
 */
export type SummaryKind = 'mean' | 'minmax';

/** Vectors of headDim numbers that a summary has for each KV head. */
export const VECTORS: Record<SummaryKind, number> = { mean: 1, minmax: 2 };

/** Summaries are f32 where the cache is, else f16. */
export function summaryPrecision(kv: KvPrecision): 'f32' | 'f16' {
  return kv === 'f32' ? 'f32' : 'f16';
}

/** Bytes of one page's summary in one layer. */
export function summaryPageBytes(
  { kvHeads, headDim }: Pick<AttentionShape, 'kvHeads' | 'headDim'>,
  kind: SummaryKind,
  kv: KvPrecision,
): number {
  return kvHeads * VECTORS[kind] * headDim * BYTES[summaryPrecision(kv)];
}
