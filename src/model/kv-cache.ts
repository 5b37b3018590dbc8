/** The KV cache in GPU memory: a buffer of keys and one of values a layer, or several that divide the KV heads; in pages. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/index.ts';
import { type KvPrecision, kvHeadBytes } from '../kernels/precision.ts';
import { PAGE_SIZE } from '../kernels/step.ts';
import { type SummaryKind, summaryPageBytes } from '../kernels/summary.ts';

/** What a layer keeps for some of its KV heads: all, where the cache has one part a layer. */
export interface KvPart {
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

/** Allocates `totalPages` pages in every layer, `parts` times the buffers, each with as many KV heads. */
export function allocateKv(
  gpu: Gpu,
  config: ModelConfig,
  precision: KvPrecision,
  { totalPages, parts }: { totalPages: number; parts: number },
  summary: SummaryKind | null,
): KvPart[][] {
  const bytes = (totalPages * PAGE_SIZE * kvRowBytes(config, precision)) / parts;
  const summaryBytes = summary ? (totalPages * summaryPageBytes(config, summary, precision)) / parts : 0;
  return Array.from({ length: config.layers }, (_, layer) =>
    Array.from({ length: parts }, (_, part) => {
      const of = parts === 1 ? `layer ${layer}` : `layer ${layer}, part ${part + 1}`;
      return {
        keys: gpu.buffer(`keys of ${of}`, bytes),
        values: gpu.buffer(`values of ${of}`, bytes),
        summaries: summary ? gpu.buffer(`summaries of ${of}`, summaryBytes) : null,
      };
    }),
  );
}
