/** The KV cache in GPU memory: one buffer of keys and one of values a layer, in pages. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/index.ts';
import { type KvPrecision, kvHeadBytes } from '../kernels/precision.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { type SummaryKind, summaryPageBytes } from '../kernels/summary.ts';

export interface LayerKv {
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  /** Page summaries, [page][kvHead][vectors][headDim]; null where there are none. */
  readonly summaries: GPUBuffer | null;
}

/** Bytes one token takes in one buffer of one layer (keys or values). */
export function kvRowBytes(config: ModelConfig, precision: KvPrecision): number {
  return config.kvHeads * kvHeadBytes(config.headDim, precision);
}

/** Bytes of a page's summaries in all layers. */
export function summaryBytesPerPage(config: ModelConfig, precision: KvPrecision, summary: SummaryKind | null): number {
  return summary ? config.layers * summaryPageBytes(config, summary, precision) : 0;
}

/** Bytes one token takes in the whole cache, page summaries aside. */
export function kvBytesPerToken(config: ModelConfig, precision: KvPrecision): number {
  return 2 * config.layers * kvRowBytes(config, precision);
}

/** Allocates `totalPages` pages in every layer. */
export function allocateKv(
  gpu: Gpu,
  config: ModelConfig,
  precision: KvPrecision,
  totalPages: number,
  summary: SummaryKind | null,
): LayerKv[] {
  const bytes = totalPages * PAGE_SIZE * kvRowBytes(config, precision);
  return Array.from({ length: config.layers }, (_, layer) => ({
    keys: gpu.buffer(`keys of layer ${layer}`, bytes),
    values: gpu.buffer(`values of layer ${layer}`, bytes),
    summaries: summary
      ? gpu.buffer(`summaries of layer ${layer}`, totalPages * summaryPageBytes(config, summary, precision))
      : null,
  }));
}
