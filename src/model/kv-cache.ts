/** The KV cache in GPU memory: one buffer of keys and one of values a layer, in pages. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { Gpu } from '../gpu/index.ts';
import { type KvPrecision, kvHeadBytes } from '../kernels/precision.ts';
import { PAGE_SIZE } from '../kernels/step.ts';

export interface LayerKv {
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
}

/** Bytes one token takes in one buffer of one layer (keys or values). */
export function kvRowBytes(config: ModelConfig, precision: KvPrecision): number {
  return config.kvHeads * kvHeadBytes(config.headDim, precision);
}

/** Bytes one token takes in the whole cache. */
export function kvBytesPerToken(config: ModelConfig, precision: KvPrecision): number {
  return 2 * config.layers * kvRowBytes(config, precision);
}

/** Allocates `totalPages` pages in every layer. */
export function allocateKv(gpu: Gpu, config: ModelConfig, precision: KvPrecision, totalPages: number): LayerKv[] {
  const bytes = totalPages * PAGE_SIZE * kvRowBytes(config, precision);
  return Array.from({ length: config.layers }, (_, layer) => ({
    keys: gpu.buffer(`keys of layer ${layer}`, bytes),
    values: gpu.buffer(`values of layer ${layer}`, bytes),
  }));
}
