/**
 * Checkpoints as mlc-llm writes them (python/mlc_llm/quantization/group_quantization.py and the loaders of each model; shards
 * as tvm's `dump_tensor_cache`), with random codes.
 */
import { createHash } from 'node:crypto';
import type { WeightDType } from '../../../src/numbers.ts';
import { floatBytes, randomFloats } from './floats.ts';
import { configJson, distribute, type Group, groupsOf, type MadeCheckpoint, rowsOf, type Shape } from './layout.ts';
import { type Draw, drawFrom } from './random.ts';

export type MlcQuantization = 'q4f16_1' | 'q4f32_1' | 'q3f16_1' | 'q0f16' | 'q0f32';

interface Record_ {
  name: string;
  shape: number[];
  dtype: string;
  format: string;
  bytes: Uint8Array;
}

/** Names of parts, by mlc-llm's loader of each architecture. */
function nameOf(shape: Shape, layer: number, key: string): string {
  const [base, kind = 'weight'] = key.split(/\.(?=bias$)/);
  const phi3 = shape.architecture === 'phi3';
  const outer: Record<string, string> = phi3
    ? { embedding: 'transformer.embd', norm: 'transformer.norm', head: 'lm_head' }
    : { embedding: 'model.embed_tokens', norm: 'model.norm', head: 'lm_head' };
  if (layer < 0) return `${outer[key]}.${kind}`;
  const qkv = shape.architecture === 'llama' ? 'self_attn.qkv_proj' : 'self_attn.c_attn';
  const parts: Record<string, string> = {
    input_norm: phi3 ? 'ln' : 'input_layernorm',
    post_norm: 'post_attention_layernorm',
    q_norm: 'self_attn.q_norm',
    k_norm: 'self_attn.k_norm',
    qkv: phi3 ? 'mixer.qkv_proj' : qkv,
    o: phi3 ? 'mixer.out_proj' : 'self_attn.o_proj',
    gate_up: 'mlp.gate_up_proj',
    down: 'mlp.down_proj',
    router: 'mlp.gate',
    'experts.gate_up': 'mlp.moe_gate_up_proj',
    'experts.down': 'mlp.moe_down_proj',
  };
  return `${phi3 ? 'transformer.h' : 'model.layers'}.${layer}.${parts[base!]}.${kind}`;
}

/** Codes in u32 words, 8 of 4 bits or 10 of 3, four words a group; the scale times (code − zero) is the value. */
function quantise(group: Group, draw: Draw, quantization: MlcQuantization) {
  const three = quantization === 'q3f16_1';
  const [size, perWord, bits, zero, levels] = three ? [40, 10, 3, 3, 7] : [32, 8, 4, 7, 15];
  const columns = group.columns!;
  const rows = rowsOf(group);
  const groups = Math.ceil(columns / size);
  const words = new Uint32Array(rows * groups * 4);
  const spread = 1 / (Math.sqrt(columns) * zero);
  const numbers = Array.from({ length: rows * groups }, () => spread * (0.75 + 0.5 * Math.abs(draw.signed())));
  // f32 scales lie as bf16 in the file.
  const scales = floatBytes(numbers, quantization === 'q4f32_1' ? 'BF16' : 'F16');
  const values = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < groups * size; column++) {
      // Padding has the code of 0; no code is the highest that the bits could hold.
      const code = column < columns ? draw.below(levels) : zero;
      const word = row * groups * 4 + Math.floor(column / perWord);
      words[word]! |= (code << (bits * (column % perWord))) >>> 0;
      const scale = scales.values[row * groups + Math.floor(column / size)]!;
      if (column < columns) values[row * columns + column] = (code - zero) * scale;
    }
  }
  return { words, groups, scales: scales.bytes, values };
}

/** Matrices of experts have a dimension for them. */
function dimensions(group: Group, key: string, shape: Shape): number[] {
  const rows = rowsOf(group);
  const { experts } = shape;
  return key.startsWith('experts.') && experts ? [experts.count, rows / experts.count] : [rows];
}

export function mlcCheckpoint(shape: Shape, quantization: MlcQuantization, seed = 1): MadeCheckpoint {
  const draw = drawFrom(seed);
  const values = new Map<string, Float64Array>();
  const records: Record_[] = [];
  const f32 = quantization === 'q4f32_1' || quantization === 'q0f32';
  const dtype: WeightDType = f32 ? 'BF16' : 'F16';
  const float = (name: string, sizes: number[], bytes: Uint8Array) =>
    records.push({
      name,
      shape: sizes,
      dtype: f32 ? 'float32' : 'float16',
      format: f32 ? 'f32-to-bf16' : 'raw',
      bytes,
    });
  for (const { layer, key, group } of groupsOf(shape, { qkv: true, gateUp: true, experts: 'fused' })) {
    const name = nameOf(shape, layer, key);
    const sizes = dimensions(group, key, shape);
    if (group.columns === null || key === 'router' || quantization.startsWith('q0')) {
      const made = randomFloats(group, draw, dtype);
      distribute(group, made.values, values);
      float(name, group.columns === null ? sizes : [...sizes, group.columns], made.bytes);
      continue;
    }
    const made = quantise(group, draw, quantization);
    distribute(group, made.values, values);
    const base = name.slice(0, -'weight'.length);
    const words = new Uint8Array(made.words.buffer);
    records.push({
      name: `${base}q_weight`,
      shape: [...sizes, made.groups * 4],
      dtype: 'uint32',
      format: 'f32-to-bf16',
      bytes: words,
    });
    float(`${base}q_scale`, [...sizes, made.groups], made.scales);
  }
  return { files: { ...shards(records), 'mlc-chat-config.json': chatConfig(shape, quantization) }, values };
}

/** Three shards, tensors in the order they were made. */
function shards(records: Record_[]): Record<string, Uint8Array | string> {
  const files: Record<string, Uint8Array | string> = {};
  const manifest = Array.from({ length: 3 }, (_, shard) => {
    const own = records.filter((_, i) => Math.floor((i * 3) / records.length) === shard);
    const bytes = Buffer.concat(own.map((record) => record.bytes));
    const dataPath = `params_shard_${shard}.bin`;
    files[dataPath] = new Uint8Array(bytes);
    let byteOffset = 0;
    const entries = own.map(({ name, shape, dtype, format, bytes: part }) => {
      const entry = { name, shape, dtype, format, nbytes: part.length, byteOffset };
      byteOffset += part.length;
      return entry;
    });
    const md5sum = createHash('md5').update(bytes).digest('hex');
    return { dataPath, format: 'raw-shard', nbytes: bytes.length, records: entries, md5sum };
  });
  files['tensor-cache.json'] = JSON.stringify({ metadata: { ParamSize: records.length }, records: manifest });
  return files;
}

function chatConfig(shape: Shape, quantization: string): string {
  const { architectures: _, model_type: __, max_position_embeddings: context, ...model } = configJson(shape);
  return JSON.stringify({
    version: '0.1.0',
    model_type: shape.architecture,
    quantization,
    model_config: { ...model, context_window_size: context, prefill_chunk_size: 128, tensor_parallel_shards: 1 },
    vocab_size: shape.vocab,
    context_window_size: 64,
    sliding_window_size: -1,
    temperature: 0.6,
    top_p: 0.95,
    repetition_penalty: 1.05,
    tokenizer_files: ['tokenizer.json', 'tokenizer_config.json'],
    conv_template: {
      name: 'chatml',
      system_template: '<|im_start|>system\n{system_message}<|im_end|>\n',
      system_message: "You're helpful.",
      roles: { user: '<|im_start|>user', assistant: '<|im_start|>assistant' },
      role_templates: { user: '{user_message}', assistant: '{assistant_message}' },
      seps: ['<|im_end|>\n'],
      role_content_sep: '\n',
      role_empty_sep: '\n',
      stop_str: ['<|im_end|>'],
      stop_token_ids: [2, 0],
    },
    eos_token_id: 2,
  });
}
