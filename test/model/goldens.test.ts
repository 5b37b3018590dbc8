/** The GPU's logits against those of the models' authors (transformers, in float64), on the same weights. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/checkpoint/index.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { relativeError } from '../reference/load.ts';
import { goldenWeights, readGolden } from '../support/golden-weights.ts';
import { testGpu } from '../support/gpu.ts';
import { lastLogits } from './last-logits.ts';
import { floatChunks } from './made-weights.ts';

const { tokens, models } = readGolden();

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

it.each(['llama', 'qwen2', 'qwen3-moe', 'phi3'])('%s', async (name) => {
  const model = models[name]!;
  const config = parseModelConfig(JSON.stringify(model.config));
  const chunks = floatChunks(goldenWeights(model));
  const logits = await lastLogits(gpu, config, { precision: 'f32' }, chunks, tokens);
  expect(relativeError(logits, model.logits[tokens.length - 1]!)).toBeLessThan(1e-5);
});
