import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  expectedTensors,
  MODEL_SHAPES,
  type ModelConfig,
  modelConfigJson,
  modelShape,
  openWeights,
  parameterCount,
  parseGenerationDefaults,
  parseModelConfig,
  readTensorIndex,
} from '../../src/checkpoint/index.ts';
import { isReckonError } from '../../src/errors.ts';
import { errorOf, memorySource, protoSource, safetensorsFile } from '../support/checkpoint.ts';

const proto = modelConfigJson(MODEL_SHAPES.proto);
const noTokens = { idOf: () => undefined };

describe('parseModelConfig', () => {
  it('reads the embedded model as its shape', async () => {
    expect(parseModelConfig(await protoSource().text('config.json'))).toEqual(MODEL_SHAPES.proto);
  });

  it('comes back from every named shape', () => {
    for (const shape of Object.values(MODEL_SHAPES)) expect(parseModelConfig(modelConfigJson(shape))).toEqual(shape);
  });

  it('reads θ where newer transformers put it', () => {
    const { rope_theta: _, rope_scaling: __, ...rest } = proto;
    const config = parseModelConfig({ ...rest, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } });
    expect(config.ropeTheta).toBe(5e5);
    expect(() => parseModelConfig(rest)).toThrow(/rope_theta is missing/);
  });

  it('assumes what Hugging Face assumes', () => {
    const { head_dim: _, tie_word_embeddings: __, ...rest } = proto;
    expect(parseModelConfig(rest)).toMatchObject({ headDim: 128, tiedEmbeddings: false });
  });

  it('refuses models it does not know, and lists those it does', async () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ architectures: ['MambaForCausalLM'] }, /"MambaForCausalLM" is not known.*Qwen3ForCausalLM/],
      [{ architectures: ['constructor'] }, /not known/],
      [{ rope_scaling: { rope_type: 'dynamic', factor: 4 } }, /RoPE of type "dynamic"/],
      [{ attention_bias: true }, /biases/],
      [{ quantization_config: { bits: 4 } }, /quantised/],
    ];
    for (const [change, message] of cases) {
      const error = await errorOf(() => parseModelConfig({ ...proto, ...change }));
      expect(isReckonError(error, 'unknown-architecture') && error.message).toMatch(message);
    }
  });

  it('reads the other architectures by their features', () => {
    const { head_dim: _, architectures: __, ...rest } = proto;
    const as = (architecture: string, change: Record<string, unknown> = {}) =>
      parseModelConfig({ ...rest, architectures: [architecture], ...change });
    expect(as('LlamaForCausalLM')).toMatchObject({ headDim: 64, qkNorm: false, qkvBias: false, moe: null });
    expect(as('Qwen2ForCausalLM')).toMatchObject({ headDim: 64, qkNorm: false, qkvBias: true });
    expect(as('Phi3ForCausalLM', { partial_rotary_factor: 0.75 })).toMatchObject({ headDim: 64, rotaryDim: 48 });
    const experts = { num_experts: 8, num_experts_per_tok: 2, moe_intermediate_size: 96, norm_topk_prob: true };
    const sparse = { ...experts, decoder_sparse_step: 2, mlp_only_layers: [3] };
    expect(as('Qwen3MoeForCausalLM', sparse).moe).toEqual({
      experts: 8,
      expertsPerToken: 2,
      intermediateSize: 96,
      normTopkProb: true,
      denseLayers: [0, 2, 3],
    });
    // MLC names the type alone.
    expect(parseModelConfig({ ...rest, model_type: 'qwen3_moe', ...experts }).architecture).toBe('Qwen3MoeForCausalLM');
  });

  it('reads scaled RoPE', () => {
    const scaled = (rope_scaling: unknown, change: Record<string, unknown> = {}) =>
      parseModelConfig({ ...proto, rope_scaling, ...change });
    expect(scaled({ type: 'linear', factor: 4 }).ropeScaling).toEqual({ type: 'linear', factor: 4 });
    const llama3 = { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4 };
    expect(scaled({ ...llama3, original_max_position_embeddings: 256 })).toMatchObject({
      ropeScaling: { factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxContext: 256 },
      maxContext: 1024,
    });
    const yarn = scaled({ rope_type: 'yarn', factor: 4, original_max_position_embeddings: 1000 });
    // 0.1 · ln 4 + 1; YaRN's context is longer than max_position_embeddings says.
    expect(yarn).toMatchObject({ ropeScaling: { attentionFactor: 1.138629436111989, betaFast: 32 }, maxContext: 4000 });
    const lists = { short_factor: Array(32).fill(1), long_factor: Array(32).fill(2) };
    const longrope = scaled({ type: 'longrope', ...lists }, { original_max_position_embeddings: 256 });
    // √(1 + ln 4 / ln 256) = √1.25
    expect(longrope.ropeScaling).toMatchObject({ originalMaxContext: 256, attentionFactor: Math.sqrt(1.25) });
    for (const { ropeScaling, ...rest } of [yarn, longrope]) {
      const config = { ...rest, ropeScaling };
      expect(parseModelConfig(modelConfigJson(config))).toEqual(config);
    }
    expect(() => scaled({ type: 'longrope', ...lists, long_factor: [1] })).toThrow(
      /long_factor is .* list of 32 numbers/,
    );
    expect(() => scaled({ ...llama3, high_freq_factor: 1 })).toThrow(/high_freq_factor is 1; it must be above/);
  });

  it('holds the context within a sliding window that is on', () => {
    const windowed = { ...proto, sliding_window: 300 };
    expect(parseModelConfig(windowed)).toMatchObject({ maxContext: 1024, slidingWindow: null });
    const on = parseModelConfig({ ...windowed, use_sliding_window: true });
    expect(on).toMatchObject({ maxContext: 300, slidingWindow: 300 });
    const mistral = { ...windowed, architectures: ['MistralForCausalLM'] };
    expect(parseModelConfig(mistral)).toMatchObject({ maxContext: 300, slidingWindow: 300 });
    expect(parseModelConfig({ ...mistral, sliding_window: null })).toMatchObject({ maxContext: 1024 });
    expect(parseModelConfig({ ...windowed, layer_types: ['full_attention'] }).slidingWindow).toBe(null);
  });

  it('names the field, its value and what it must be', async () => {
    const cases: [string, unknown, RegExp][] = [
      ['architectures', [], /architectures is \[\]; it must be a list/],
      ['hidden_size', 0, /hidden_size is 0; it must be a multiple of 2 from 2/],
      ['hidden_size', '128', /hidden_size is "128"/],
      ['num_hidden_layers', 1.5, /num_hidden_layers is 1.5; it must be a whole number/],
      ['num_attention_heads', -2, /num_attention_heads is -2/],
      ['num_key_value_heads', 3, /num_key_value_heads is 3/],
      ['head_dim', 12, /head_dim is 12; it must be a multiple of 8 from 8 to 256/],
      ['head_dim', 264, /head_dim is 264/],
      ['intermediate_size', 7, /intermediate_size is 7; it must be a multiple of 2/],
      ['vocab_size', 0, /vocab_size is 0/],
      ['rms_norm_eps', 0, /rms_norm_eps is 0/],
      ['rope_theta', null, /rope_theta is null/],
      ['rope_theta', 'big', /rope_theta is "big"/],
      ['rope_scaling', 4, /rope_scaling is 4/],
      ['max_position_embeddings', undefined, /max_position_embeddings is missing/],
      ['hidden_act', 'gelu', /hidden_act is "gelu"; it must be "silu"/],
      ['tie_word_embeddings', 'yes', /tie_word_embeddings is "yes"; it must be true or false/],
    ];
    for (const [field, value, message] of cases) {
      const error = await errorOf(() => parseModelConfig({ ...proto, [field]: value }));
      expect(isReckonError(error, 'bad-checkpoint') && error.message, field).toMatch(message);
    }
    expect(() => parseModelConfig({ ...proto, num_attention_heads: 8, num_key_value_heads: 3 })).toThrow(
      /divisor of num_attention_heads \(8\)/,
    );
  });

  it('answers anything with typed errors only', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json()),
        fc.constantFrom(...Object.keys(proto)),
        fc.jsonValue(),
        (text, field, value) => {
          for (const input of [text, JSON.stringify({ ...proto, [field]: value })]) {
            try {
              parseModelConfig(input);
            } catch (error) {
              expect(isReckonError(error)).toBe(true);
            }
          }
        },
      ),
    );
    expect(() => parseModelConfig('<!doctype html>')).toThrow(/web page/);
  });
});

describe('parseGenerationDefaults', () => {
  const config = { model: MODEL_SHAPES.proto, json: proto };

  it('gathers end tokens from all three places', async () => {
    const text = await protoSource().text('generation_config.json');
    const tokenizer = { idOf: (token: string) => (token === '<|im_end|>' ? 2 : undefined) };
    expect(parseGenerationDefaults(text, config, tokenizer)).toEqual({
      stopTokens: [0, 2],
      temperature: 1,
      topK: 0,
      topP: 1,
      minP: 0,
      repetitionPenalty: 1,
    });
    const own = parseGenerationDefaults(undefined, { ...config, json: { ...proto, eos_token_id: 7 } }, tokenizer);
    expect(own.stopTokens).toEqual([2, 7]);
  });

  it('takes the settings, nulls as absent, greedy as temperature 0', () => {
    const settings = {
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
      min_p: null,
      repetition_penalty: 1.1,
      eos_token_id: 3,
    };
    expect(parseGenerationDefaults(settings, config, noTokens)).toEqual({
      stopTokens: [3],
      temperature: 0.6,
      topK: 20,
      topP: 0.95,
      minP: 0,
      repetitionPenalty: 1.1,
    });
    expect(parseGenerationDefaults({ do_sample: false, temperature: 0.6 }, config, noTokens).temperature).toBe(0);
  });

  it('refuses what is out of range', () => {
    expect(() => parseGenerationDefaults({ eos_token_id: [2, 80] }, config, noTokens)).toThrow(
      /eos_token_id is \[2,80\]; it must be .* below 80/,
    );
    expect(() => parseGenerationDefaults({ temperature: -1 }, config, noTokens)).toThrow(/temperature is -1/);
    expect(() => parseGenerationDefaults({ top_p: 'high' }, config, noTokens)).toThrow(/top_p is "high"/);
    expect(() => parseGenerationDefaults('[]', config, noTokens)).toThrow(
      /generation_config.json is not a JSON object/,
    );
  });
});

describe('expected tensors', () => {
  it('are those of the embedded checkpoint, and count its parameters', async () => {
    const { tensors } = await openWeights(protoSource(), MODEL_SHAPES.proto);
    const header = await readTensorIndex(protoSource());
    expect(new Set(tensors.keys())).toEqual(new Set(header.tensors.keys()));
    expect([...tensors.keys()]).toEqual(expectedTensors(MODEL_SHAPES.proto).map(({ name }) => name));
    expect(parameterCount(MODEL_SHAPES.proto)).toBe(798_336);
    // The published sizes: 0.6B and 1.7B.
    expect(parameterCount(modelShape('qwen3-0.6b'))).toBe(596_049_920);
    expect(parameterCount(modelShape('qwen3-1.7b'))).toBe(1_720_574_976);
  });

  it('names up to five that are missing or misshapen', async () => {
    const against = (change: Partial<ModelConfig>) =>
      errorOf(() => openWeights(protoSource(), { ...MODEL_SHAPES.proto, ...change }));
    const missing = await against({ layers: 5 });
    expect(missing.message).toMatch(/lacks "model.layers.4.input_layernorm.weight"; .*; and 6 more/);
    const wrong = await against({ vocabSize: 81 });
    expect(wrong.message).toMatch(/"model.embed_tokens.weight" is \[80, 128\], should be \[81, 128\]/);
    const untied = await against({ tiedEmbeddings: false });
    expect(untied.message).toMatch(/lacks "lm_head.weight"\./);
    const bytes = safetensorsFile(
      { 'model.embed_tokens.weight': { dtype: 'I8', shape: [8], data_offsets: [0, 8] } },
      8,
    );
    const source = memorySource({ 'model.safetensors': bytes });
    const integers = await errorOf(() => openWeights(source, MODEL_SHAPES.proto));
    expect(integers.message).toMatch(/stored as I8/);
    for (const error of [missing, wrong, untied, integers]) expect(isReckonError(error, 'bad-checkpoint')).toBe(true);
  });
});

describe('modelShape', () => {
  it('overrides layers, and lists the names there are', () => {
    expect(modelShape('qwen3-0.6b', { layers: 2 })).toEqual({ ...MODEL_SHAPES['qwen3-0.6b'], layers: 2 });
    expect(() => modelShape('qwen9')).toThrow(/no model shape "qwen9".*tiny, proto, qwen3-0.6b, qwen3-1.7b/);
    expect(() => modelShape('toString')).toThrow(/no model shape/);
    expect(() => modelShape('tiny', { layers: 0 })).toThrow(/layers is 0/);
  });
});
