import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/checkpoint/config.ts';
import { MODEL_SHAPES } from '../../src/checkpoint/shapes.ts';
import { CATALOGUE, catalogueEntry, EMBEDDED_MODELS } from '../../src/cost/catalogue.ts';
import {
  groupSize,
  kvBytesPerToken,
  kvElements,
  kvOvertakesWeights,
  parameterCounts,
  parametersRead,
  shapeOf,
  weightBytes,
} from '../../src/cost/shapes.ts';
import golden from '../golden/kinetics.json' with { type: 'json' };

/** Parameters as the hub states them for the safetensors of each repository, from memory: two recollections that agree. */
const STATED: Record<string, number> = {
  'Qwen3-30B-A3B': 30_532_122_624,
  'Qwen2.5-0.5B': 494_032_768,
  'Qwen2.5-1.5B': 1_543_714_304,
  'Qwen2.5-3B': 3_085_938_688,
  'Qwen2.5-7B': 7_615_616_512,
  'Qwen2.5-14B': 14_770_033_664,
  'Qwen2.5-32B': 32_763_876_352,
  'Qwen2.5-72B': 72_706_203_648,
  'DeepSeek-R1-Distill-Qwen-1.5B': 1_777_088_000,
  'DeepSeek-R1-Distill-Qwen-7B': 7_615_616_512,
  'DeepSeek-R1-Distill-Qwen-14B': 14_770_033_664,
  'DeepSeek-R1-Distill-Qwen-32B': 32_763_876_352,
  'DeepSeek-R1-Distill-Llama-8B': 8_030_261_248,
  'DeepSeek-R1-Distill-Llama-70B': 70_553_706_496,
  'Llama-3.2-1B': 1_235_814_400,
  'Llama-3.2-3B': 3_212_749_824,
  'Llama-3.1-8B': 8_030_261_248,
  'Llama-3.1-70B': 70_553_706_496,
  'Llama-3.3-70B-Instruct': 70_553_706_496,
  'Llama-3.1-405B': 405_853_388_800,
  'SmolLM2-135M': 134_515_008,
  'SmolLM2-360M': 361_821_120,
  'SmolLM2-1.7B': 1_711_376_384,
  'Mistral-7B-Instruct-v0.3': 7_248_023_552,
  'Phi-3.5-mini-instruct': 3_821_079_552,
  'Phi-4-mini-instruct': 3_836_021_760,
  'TinyLlama-1.1B-Chat-v1.0': 1_100_048_384,
  'Llama-2-7b-chat-hf': 6_738_415_616,
  // What their model.safetensors hold.
  'reckon-125k': 127_424,
  'reckon-125k-rl': 127_424,
  'reckon-250k': 262_976,
  'reckon-1m': 1_017_536,
  'reckon-2m': 2_201_984,
  proto: 798_336,
};

describe('parameters', () => {
  it.each(Object.entries(golden.models))('%s as the Kinetics digest recomputed them', (name, model) => {
    const shape = catalogueEntry(name);
    const counts = parameterCounts(shape);
    expect(counts.total).toBe(model.computed_unique_params);
    expect(counts.nonEmbedding).toBe(model.computed_nonembedding);
    expect(counts.nonEmbedding + 2 * counts.head).toBe(model.computed_params_emb_and_head_both);
    expect(shape.codeParameters).toBe(model.code_nparams);
    expect(kvElements(shape)).toBe(model.D_elems_per_token);
    expect(groupSize(shape)).toBe(model.r);
    expect(kvBytesPerToken(shape, 'f16')).toBe(model.kv_bytes_per_token_bf16);
  });

  it.each(Object.entries(STATED))('%s as its repository states them', (name, total) => {
    expect(parameterCounts(catalogueEntry(name)).total).toBe(total);
  });

  it('covers the whole catalogue, every name once', () => {
    for (const { name } of CATALOGUE) expect(name in STATED || name in golden.models).toBe(true);
    expect(new Set(CATALOGUE.map(({ name }) => name.toLowerCase())).size).toBe(CATALOGUE.length);
  });

  it('counts 3.3 billion active ones in 30B-A3B', () => {
    const counts = parameterCounts(catalogueEntry('qwen3-30b-a3b'));
    expect(counts.active / 1e9).toBeCloseTo(3.35, 2);
    expect(counts.active - counts.perToken).toBe(counts.head);
  });
});

describe('KV', () => {
  // Table 2 of the paper, in GiB for 32,768 tokens at two bytes; its row for Qwen3-14B is a slip (digest, section 1.6).
  it.each([
    ['DeepSeek-R1-Distill-Qwen-1.5B', 0.875],
    ['DeepSeek-R1-Distill-Qwen-7B', 1.75],
    ['DeepSeek-R1-Distill-Qwen-14B', 6],
    ['DeepSeek-R1-Distill-Qwen-32B', 8],
    ['Qwen3-0.6B', 3.5],
    ['Qwen3-14B', 5],
    ['Qwen3-30B-A3B', 3],
  ])('%s: %s GiB', (name, gib) => {
    expect((kvBytesPerToken(catalogueEntry(name), 'f16') * 32768) / 2 ** 30).toBe(gib);
  });

  it('int8 takes about half of f16, f32 twice', () => {
    const shape = catalogueEntry('Qwen3-4B');
    expect(kvBytesPerToken(shape, 'f32')).toBe(2 * kvBytesPerToken(shape, 'f16'));
    expect(kvBytesPerToken(shape, 'f16') / kvBytesPerToken(shape, 'int8')).toBeCloseTo(1.94, 2);
  });

  it('overtakes the weights where both bring the same bytes', () => {
    const shape = catalogueEntry('Qwen3-0.6B');
    const context = kvOvertakesWeights(shape, { weights: 'f16', kv: 'f16' });
    expect(context).toBeCloseTo((596_049_920 * 2) / 114_688);
    expect(kvOvertakesWeights(shape, { weights: 'f16', kv: 'f16' }, 8)).toBeCloseTo(context / 8);
    expect(kvOvertakesWeights(shape, { weights: 'int4', kv: 'f16' })).toBeLessThan(context / 3);
  });
});

describe('weights', () => {
  it('a mixture reads more experts the more lanes there are, never more than it has', () => {
    const shape = catalogueEntry('Qwen3-30B-A3B');
    const counts = parameterCounts(shape);
    expect(parametersRead(shape, 1)).toBeCloseTo(counts.perToken, -1);
    expect(parametersRead(shape, 8)).toBeGreaterThan(4 * parametersRead(shape, 1));
    expect(parametersRead(shape, 1e6)).toBeCloseTo(counts.nonEmbedding + counts.head, 0);
    expect(weightBytes(shape, 'bf16')).toBe(2 * counts.total);
  });

  it('a dense model reads all of them, whatever the lanes', () => {
    const shape = catalogueEntry('Qwen3-8B');
    expect(parametersRead(shape, 32)).toBe(parametersRead(shape, 1));
  });
});

describe('shapeOf', () => {
  it('takes a loaded config', () => {
    for (const name of EMBEDDED_MODELS) {
      const { source, ...shape } = catalogueEntry(name);
      const config = readFileSync(new URL(`../../${source}/config.json`, import.meta.url), 'utf8');
      expect(shapeOf(parseModelConfig(config), name)).toEqual(shape);
    }
    expect(parameterCounts(shapeOf(MODEL_SHAPES['qwen3-1.7b'])).total).toBe(1_720_574_976);
  });
});

describe('catalogueEntry', () => {
  it('knows names in any case and with their owner', () => {
    expect(catalogueEntry('Qwen/Qwen3-8B')).toBe(catalogueEntry('qwen3-8b'));
  });

  it('says what comes near an unknown name', () => {
    expect(() => catalogueEntry('distill 7b')).toThrow(
      /no model "distill 7b"\. Near it: DeepSeek-R1-Distill-Qwen-7B\./,
    );
    expect(() => catalogueEntry('gpt')).toThrow(/There are: Qwen3-0\.6B, /);
  });
});
