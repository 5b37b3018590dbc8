/** From the files of every format to logits: checkpoints made by the formats' specifications, against float64. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openCheckpoint, streamTensors } from '../../src/checkpoint/index.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import type { WeightOptions } from '../../src/model/weights.ts';
import { randomTokens } from '../engine/rig.ts';
import { ReferenceDecoder, referenceShapes } from '../reference/decoder.ts';
import { relativeError } from '../reference/load.ts';
import { memorySource } from '../support/checkpoint.ts';
import { ggufCheckpoint } from '../support/formats/gguf.ts';
import { type MadeCheckpoint, type Shape, TINY_SHAPES, wide } from '../support/formats/layout.ts';
import { mlcCheckpoint } from '../support/formats/mlc.ts';
import { floatCheckpoint, mlxCheckpoint } from '../support/formats/safetensors.ts';
import { testGpu } from '../support/gpu.ts';
import { LONGEST, lastLogits } from './last-logits.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

/** ‖logits − reference‖ / ‖reference‖ after a prompt of a made checkpoint. */
async function errorOf(made: MadeCheckpoint, options: WeightOptions): Promise<number> {
  const source = { ...memorySource(made.files), list: async () => Object.keys(made.files) };
  const { model, weights: index } = await openCheckpoint(source);
  const chunks = streamTensors(source, model, { index, chunkBytes: 3000 });
  const prompt = randomTokens(19, 2, model.vocabSize);
  const logits = await lastLogits(gpu, model, { ...options, encodings: index.encodings }, chunks, prompt);
  const shapes = referenceShapes(model);
  const values = new Map([...made.values].map(([name, data]) => [name, { shape: shapes.get(name)!, data }]));
  const reference = new ReferenceDecoder({ ...model, maxContext: LONGEST }, values);
  return relativeError(logits, reference.logits(prompt).at(-1)!);
}

const HALF: WeightOptions = { precision: 'f16' };

describe.each(Object.values(TINY_SHAPES).map((shape): [string, Shape] => [shape.architecture, shape]))(
  '%s',
  (_, shape) => {
    it("in MLC's 4 bits", async () => {
      expect(await errorOf(mlcCheckpoint(shape, 'q4f16_1'), HALF)).toBeLessThan(1e-5);
    });
    it("in MLX's 4 bits, groups of 64", async () => {
      expect(await errorOf(mlxCheckpoint(shape, { bits: 4, group: 64, dtype: 'BF16' }), HALF)).toBeLessThan(1e-5);
    });
    it('in GGUF, Q4_K and Q6_K within one fused matrix', async () => {
      const format = (name: string) => (/attn_v|ffn_down|token_embd/.test(name) ? 'Q6_K' : 'Q4_K');
      expect(await errorOf(ggufCheckpoint(wide(shape), { format }), HALF)).toBeLessThan(1e-5);
    });
  },
);

describe('qwen3', () => {
  const shape = TINY_SHAPES.qwen3;
  it.each(['q4f32_1', 'q3f16_1', 'q0f32'] as const)('in %s of MLC', async (quantization) => {
    const options: WeightOptions = { precision: quantization === 'q0f32' ? 'f32' : 'f16' };
    expect(await errorOf(mlcCheckpoint(shape, quantization), options)).toBeLessThan(1e-5);
  });
  it.each(['Q4_0', 'Q8_0'] as const)('in %s of GGUF', async (type) => {
    expect(await errorOf(ggufCheckpoint(shape, { format: () => type }), HALF)).toBeLessThan(1e-5);
  });
  it('in BF16 of safetensors, kept in f32', async () => {
    expect(await errorOf(floatCheckpoint(shape, 'BF16'), { precision: 'f32' })).toBeLessThan(1e-5);
  });
});
