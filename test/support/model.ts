/** Models for tests: the trained proto checkpoint, and random ones of any shape, on the test GPU. */
import { fileURLToPath } from 'node:url';
import { type LoadedModel, loadFrom } from '../../src/api/load-model.ts';
import type { LoadOptions } from '../../src/api/types.ts';
import { type ModelConfig, syntheticSource } from '../../src/checkpoint/index.ts';
import { directorySource } from '../../src/checkpoint/node.ts';
import { testGpu } from './gpu.ts';

export const PROTO = fileURLToPath(new URL('../../models/proto', import.meta.url));

/** The embedded checkpoint, f32 unless asked otherwise. */
export async function protoModel(options: LoadOptions = {}): Promise<LoadedModel> {
  return loadFrom(directorySource(PROTO), {
    precision: { weights: 'f32', kv: 'f32' },
    ...options,
    gpu: await testGpu(),
  });
}

/** Random weights of a shape. */
export async function randomModel(config: ModelConfig, seed: number, options: LoadOptions = {}): Promise<LoadedModel> {
  return loadFrom(syntheticSource(config, { seed, dtype: 'F32' }), {
    precision: { weights: 'f32', kv: 'f32' },
    ...options,
    gpu: await testGpu(),
  });
}
