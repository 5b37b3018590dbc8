/** Every format and architecture: what is read are the values that the format's specification says. */
import { describe, expect, it } from 'vitest';
import { dequantize, type LoadProgress, openCheckpoint, streamTensors } from '../../src/checkpoint/index.ts';
import { decodeWeights } from '../../src/numbers.ts';
import { memorySource } from '../support/checkpoint.ts';
import { type GgufOptions, ggufCheckpoint } from '../support/formats/gguf.ts';
import { type MadeCheckpoint, type Shape, TINY_SHAPES, wide } from '../support/formats/layout.ts';
import { mlcCheckpoint } from '../support/formats/mlc.ts';
import { floatCheckpoint, mlxCheckpoint } from '../support/formats/safetensors.ts';

/** A made checkpoint as a source of files, which can list them. */
function sourceOf({ files }: MadeCheckpoint, chunk = 777) {
  return { ...memorySource(files, { chunk }), list: async () => Object.keys(files) };
}

/** Reads every tensor and holds each value against what it was made of. */
async function check(made: MadeCheckpoint, options: { chunkBytes?: number; chunk?: number } = {}): Promise<void> {
  const source = sourceOf(made, options.chunk);
  const { model, weights } = await openCheckpoint(source);
  const values = new Map<string, Float64Array>();
  const steps: LoadProgress[] = [];
  const { chunkBytes = 4096 } = options;
  for await (const chunk of streamTensors(source, model, {
    index: weights,
    chunkBytes,
    onProgress: (step) => steps.push(step),
  })) {
    const size = chunk.shape.reduce((a, b) => a * b, 1);
    const whole = values.get(chunk.name) ?? new Float64Array(size);
    values.set(chunk.name, whole);
    if (chunk.kind === 'quantized') {
      expect(chunk.encoding).toEqual(weights.encodings.get(chunk.name));
      whole.set(dequantize(chunk), chunk.firstRow * chunk.shape[1]);
    } else {
      if (chunk.shape.length > 1)
        expect(weights.encodings.get(chunk.name)).toEqual({ kind: 'float', dtype: chunk.dtype });
      whole.set(decodeWeights(chunk.bytes, chunk.dtype), chunk.start / (chunk.dtype === 'F32' ? 4 : 2));
    }
  }
  expect([...values.keys()].sort()).toEqual([...made.values.keys()].sort());
  for (const [name, expected] of made.values) {
    const wrong = expected.findIndex((value, i) => value !== values.get(name)![i]);
    expect(wrong, `${name}[${wrong}] is ${values.get(name)![wrong]}, should be ${expected[wrong]}`).toBe(-1);
  }
  expect(steps.at(-1)).toMatchObject({ loaded: weights.bytes, total: weights.bytes });
}

const architectures = Object.entries(TINY_SHAPES) as [Shape['architecture'], Shape][];

describe('what is read is what was written', () => {
  it.each(architectures)('%s in safetensors of floats', async (_, shape) => {
    for (const dtype of ['F32', 'F16', 'BF16'] as const) await check(floatCheckpoint(shape, dtype));
  });

  it.each(architectures)('%s in the shards of MLC', async (_, shape) => {
    for (const quantization of ['q4f16_1', 'q4f32_1', 'q3f16_1', 'q0f16', 'q0f32'] as const)
      await check(mlcCheckpoint(shape, quantization));
  });

  it('in pieces of a row, also where 1 / rows · rows is not 1', async () => {
    const shape = { ...TINY_SHAPES.qwen3, vocab: 49 };
    await check(mlcCheckpoint(shape, 'q4f32_1'), { chunkBytes: 16 });
    await check(mlcCheckpoint(shape, 'q4f16_1'), { chunkBytes: 16 });
  });

  it.each(architectures)("%s in MLX's safetensors", async (_, shape) => {
    for (const bits of [4, 8] as const) {
      for (const group of [32, 64] as const) await check(mlxCheckpoint(shape, { bits, group, dtype: 'BF16' }));
    }
    await check(mlxCheckpoint(shape, { bits: 4, group: 32, dtype: 'F16' }));
  });

  it.each(architectures)('%s in GGUF, blocks of 32 and floats', async (_, shape) => {
    for (const type of ['Q4_0', 'Q4_1', 'Q5_0', 'Q5_1', 'Q8_0', 'F32', 'F16', 'BF16'] as const)
      await check(ggufCheckpoint(shape, { format: () => type }));
  });

  it.each(architectures)('%s in GGUF, blocks of 256, mixed', async (_, shape) => {
    // As Q4_K_M mixes them.
    const mixed: GgufOptions['format'] = (name) => {
      if (/attn_v|ffn_down|token_embd/.test(name)) return 'Q6_K';
      return name.includes('attn_k.') ? 'Q5_K' : 'Q4_K';
    };
    await check(ggufCheckpoint(wide(shape), { format: mixed }), { chunkBytes: 20_000, chunk: 5000 });
  });

  it('with the scales of many matrices read at once, those of all experts in one go', async () => {
    const made = mlxCheckpoint(TINY_SHAPES.qwen3_moe, { bits: 4, group: 32, dtype: 'BF16' });
    const source = sourceOf(made, 1 << 20);
    const { model, weights } = await openCheckpoint(source);
    source.opened.length = 0;
    for await (const _ of streamTensors(source, model, { index: weights }));
    const matrices = [...weights.encodings.values()].filter(({ kind }) => kind === 'quantized').length;
    expect(matrices).toBeGreaterThan(30);
    // Scales and biases lie side by side: a read for each stored matrix, and one for all codes.
    expect(source.opened.length).toBeLessThanOrEqual(2 * (4 + 1 + 3) + 2 + 1);
  });

  it('or end where the file ends, in a typed error', async () => {
    const made = mlcCheckpoint(TINY_SHAPES.llama, 'q4f16_1');
    for (const shard of [0, 1, 2]) {
      const path = `params_shard_${shard}.bin`;
      const files = { ...made.files, [path]: (made.files[path] as Uint8Array).slice(0, -700) };
      await expect(check({ ...made, files })).rejects.toThrow(/params_shard_\d.bin ended \d+ bytes early, in "model\./);
    }
  });

  it('in pieces of any size', async () => {
    for (const chunkBytes of [16, 100, 1000, 33_333, 1 << 20]) {
      await check(mlcCheckpoint(TINY_SHAPES.qwen2, 'q4f16_1'), { chunkBytes });
      await check(mlxCheckpoint(TINY_SHAPES.qwen3, { bits: 4, group: 64, dtype: 'BF16' }), { chunkBytes });
      await check(ggufCheckpoint(TINY_SHAPES.llama, { format: () => 'F16' }), { chunkBytes, chunk: 50_000 });
    }
  });
});
