import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedTensors,
  MODEL_SHAPES,
  type ModelConfig,
  modelShape,
  parseModelConfig,
  readTensorIndex,
  streamTensors,
  syntheticSource,
} from '../../src/checkpoint/index.ts';
import { decodeWeights } from '../../src/numbers.ts';
import { renderChat } from '../../src/text/chat.ts';
import { loadChatTemplate, loadTokenizer } from '../../src/text/index.ts';
import { anyText } from '../support/any-text.ts';
import { drain } from '../support/checkpoint.ts';

const F = 'model.safetensors';
const { tiny } = MODEL_SHAPES;

async function weights(
  config: ModelConfig,
  options: Parameters<typeof syntheticSource>[1],
): Promise<Map<string, Float32Array>> {
  const found = new Map<string, Float32Array>();
  for await (const chunk of streamTensors(syntheticSource(config, options), config)) {
    expect(chunk.last).toBe(true);
    if (chunk.kind === 'float') found.set(chunk.name, decodeWeights(chunk.bytes, chunk.dtype));
  }
  return found;
}

function moments(values: Float32Array): { mean: number; deviation: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) };
}

describe('syntheticSource', () => {
  it('is a whole checkpoint of its shape, in every type', async () => {
    for (const dtype of ['F16', 'BF16', 'F32'] as const) {
      const source = syntheticSource(tiny, { seed: 3, dtype });
      expect(parseModelConfig(await source.text('config.json'))).toEqual(tiny);
      const found = await weights(tiny, { seed: 3, dtype });
      for (const { name, shape } of expectedTensors(tiny)) {
        expect(found.get(name)?.length).toBe(shape.reduce((product, size) => product * size, 1));
      }
    }
  });

  it('gives the same bytes whatever range is read', async () => {
    for (const dtype of ['F16', 'F32'] as const) {
      const source = syntheticSource(tiny, { seed: 9, dtype });
      const whole = await drain(await source.open(F));
      expect(whole.length).toBe(await source.size(F));
      const position = fc.nat(whole.length + 8);
      await fc.assert(
        fc.asyncProperty(position, position, async (a, b) => {
          const [start, end] = [Math.min(a, b), Math.max(a, b)];
          const part = await drain(await source.open(F, { start, end }));
          expect(Buffer.compare(part, whole.subarray(start, end))).toBe(0);
        }),
        { numRuns: 30 },
      );
    }
  });

  it('depends on its seed, and differs from tensor to tensor', async () => {
    const [one, again, other] = await Promise.all([1, 1, 2].map((seed) => weights(tiny, { seed })));
    const name = 'model.layers.0.mlp.gate_proj.weight';
    expect(one!.get(name)).toEqual(again!.get(name));
    expect(one!.get(name)).not.toEqual(other!.get(name));
    expect(one!.get(name)).not.toEqual(one!.get('model.layers.0.mlp.up_proj.weight'));
  });

  it('draws matrices about N(0, 1/fan-in) and gains about 1', async () => {
    for (const [name, values] of await weights(tiny, { seed: 5, dtype: 'F32' })) {
      const { mean, deviation } = moments(values);
      const fanIn = expectedTensors(tiny).find((one) => one.name === name)!.shape[1];
      const expected = fanIn === undefined ? 0.05 : 1 / Math.sqrt(fanIn);
      expect(Math.abs(mean - (fanIn === undefined ? 1 : 0))).toBeLessThan((5 * expected) / Math.sqrt(values.length));
      expect(deviation / expected).toBeGreaterThan(fanIn === undefined ? 0.6 : 0.95);
      expect(deviation / expected).toBeLessThan(fanIn === undefined ? 1.4 : 1.05);
    }
  });

  it('lays out large models without making them', async () => {
    const config = modelShape('qwen3-1.7b');
    const source = syntheticSource(config, { dtype: 'BF16' });
    const { tensors } = await readTensorIndex(source);
    const { end } = tensors.get('model.norm.weight')!;
    expect(end).toBeGreaterThan(3.4e9);
    const tail = await drain(await source.open(F, { start: end - 1001 }));
    expect(tail.length).toBe(1001);
  });

  it('brings a tokenizer that encodes any text where the vocabulary allows, and a chat template', async () => {
    for (const config of [tiny, MODEL_SHAPES.proto, modelShape('qwen3-0.6b', { layers: 1 })]) {
      const source = syntheticSource(config);
      const tokenizer = await loadTokenizer(source);
      const ids = tokenizer.encode('<|im_start|>user\nhello');
      expect(ids[0]).toBe(1);
      expect(tokenizer.decode(ids)).toBe('<|im_start|>user\nhello');
      expect(Math.max(...ids)).toBeLessThan(config.vocabSize);
      expect(['<|im_end|>', '<think>', '</think>'].map((token) => tokenizer.idOf(token))).toEqual([2, 3, 4]);
      const template = await loadChatTemplate(source);
      expect(renderChat(template, [{ role: 'user', content: 'hi' }], { addGenerationPrompt: true })).toBe(
        '<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n<think>\n',
      );
    }
    const tokenizer = await loadTokenizer(syntheticSource(tiny));
    fc.assert(
      fc.property(anyText({ maxLength: 40 }), (text) => {
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text.replace(/\p{Surrogate}/gu, '\ufffd'));
      }),
    );
  });

  it('refuses seeds and vocabularies it cannot serve', () => {
    expect(() => syntheticSource(tiny, { seed: -1 })).toThrow(/seed is -1/);
    expect(() => syntheticSource({ ...tiny, vocabSize: 9 })).toThrow(/vocabulary of 9 is too small/);
  });
});
