/** A checkpoint as MLC lays it out (q4f32_1), in the shape of Qwen2-0.5B, with random weights. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const SHAPE = { layers: 24, hidden: 896, ffn: 4864, heads: 14, kvHeads: 2, headDim: 64, vocab: 151936 };
const SHARD_BYTES = 32 * 2 ** 20;

/** xorshift32: the same checkpoint on every machine. */
function randomWords(seed) {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
}

const bf16 = (value) => new Uint32Array(new Float32Array([value]).buffer)[0] >>> 16;

/** Codes 0 … 14, eight to a word: a word's nibbles of 15 are made 7, which is zero. */
function codes(count, word) {
  const words = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const x = word();
    // Where all four bits of a nibble are set, its lowest bit in `full` is.
    const full = x & (x >>> 1) & (x >>> 2) & (x >>> 3) & 0x11111111;
    words[i] = (x ^ (full << 3)) >>> 0;
  }
  return words;
}

function* tensors(word) {
  const { layers, hidden, ffn, heads, kvHeads, headDim, vocab } = SHAPE;
  // Standard deviation of (code − 7) · scale over uniform codes is about 4.3 · scale.
  function* matrix(name, outputs, inputs, deviation) {
    const scales = new Uint16Array((outputs * inputs) / 32);
    for (let i = 0; i < scales.length; i++) scales[i] = bf16((deviation / 4.3) * (0.75 + (word() % 1024) / 2048));
    yield {
      name: `${name}.q_weight`,
      dtype: 'uint32',
      format: 'raw',
      shape: [outputs, inputs / 8],
      data: codes((outputs * inputs) / 8, word),
    };
    yield {
      name: `${name}.q_scale`,
      dtype: 'float32',
      format: 'f32-to-bf16',
      shape: [outputs, inputs / 32],
      data: scales,
    };
  }
  const vector = (name, length, make) => ({
    name,
    dtype: 'float32',
    format: 'f32-to-bf16',
    shape: [length],
    data: Uint16Array.from({ length }, () => bf16(make())),
  });
  const gain = () => 0.8 + (word() % 1024) / 2560;
  const small = () => ((word() % 2048) - 1024) / 10240;
  yield* matrix('model.embed_tokens', vocab, hidden, 0.05);
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}`;
    const rows = (heads + 2 * kvHeads) * headDim;
    yield vector(`${at}.input_layernorm.weight`, hidden, gain);
    yield* matrix(`${at}.self_attn.c_attn`, rows, hidden, 0.05);
    yield vector(`${at}.self_attn.c_attn.bias`, rows, small);
    yield* matrix(`${at}.self_attn.o_proj`, hidden, hidden, 0.03);
    yield vector(`${at}.post_attention_layernorm.weight`, hidden, gain);
    yield* matrix(`${at}.mlp.gate_up_proj`, 2 * ffn, hidden, 0.04);
    yield* matrix(`${at}.mlp.down_proj`, hidden, ffn, 0.02);
  }
  yield vector('model.norm.weight', hidden, gain);
}

/** Byte-level alphabet of GPT-2's tokenizer, in the order of bytes. */
function alphabet() {
  const plain = (byte) => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(plain(byte) ? byte : next++));
}

const CONFIG = {
  version: '0.1.0',
  model_type: 'qwen2',
  quantization: 'q4f32_1',
  model_config: {
    hidden_act: 'silu',
    hidden_size: SHAPE.hidden,
    intermediate_size: SHAPE.ffn,
    num_attention_heads: SHAPE.heads,
    num_hidden_layers: SHAPE.layers,
    num_key_value_heads: SHAPE.kvHeads,
    rms_norm_eps: 1e-6,
    rope_theta: 1e6,
    vocab_size: SHAPE.vocab,
    tie_word_embeddings: true,
    context_window_size: 4096,
    prefill_chunk_size: 1024,
    tensor_parallel_shards: 1,
    head_dim: SHAPE.headDim,
    dtype: 'float32',
    max_batch_size: 1,
  },
  vocab_size: SHAPE.vocab,
  context_window_size: 4096,
  sliding_window_size: -1,
  prefill_chunk_size: 1024,
  attention_sink_size: -1,
  tensor_parallel_shards: 1,
  temperature: 1,
  presence_penalty: 0,
  frequency_penalty: 0,
  repetition_penalty: 1,
  top_p: 1,
  tokenizer_files: ['tokenizer.json', 'tokenizer_config.json'],
  tokenizer_info: { token_postproc_method: 'byte_level', prepend_space_in_encode: false, strip_space_in_decode: false },
  conv_template: {
    name: 'chatml',
    system_template: '<|im_start|>system\n{system_message}<|im_end|>\n',
    system_message: 'You are a helpful assistant.',
    add_role_after_system_message: true,
    roles: { user: '<|im_start|>user', assistant: '<|im_start|>assistant' },
    role_templates: { user: '{user_message}', assistant: '{assistant_message}', tool: '{tool_message}' },
    messages: [],
    seps: ['<|im_end|>\n'],
    role_content_sep: '\n',
    role_empty_sep: '\n',
    stop_str: ['<|im_end|>'],
    stop_token_ids: [255],
    function_string: '',
    use_function_calling: false,
  },
  pad_token_id: 0,
  bos_token_id: 0,
  eos_token_id: 255,
};

/** Writes the checkpoint into `folder`; its configuration last, so that half of one is none. */
export function writeRandomQwen2(folder, seed = 20240915) {
  mkdirSync(folder, { recursive: true });
  const shards = [];
  let parts = [];
  let records = [];
  let size = 0;
  const flush = () => {
    if (parts.length === 0) return;
    const bytes = Buffer.concat(parts);
    const dataPath = `params_shard_${shards.length}.bin`;
    writeFileSync(join(folder, dataPath), bytes);
    shards.push({
      dataPath,
      format: 'raw-shard',
      nbytes: bytes.length,
      records,
      md5sum: createHash('md5').update(bytes).digest('hex'),
    });
    [parts, records, size] = [[], [], 0];
  };
  let total = 0;
  for (const { data, ...facts } of tensors(randomWords(seed))) {
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    if (size + bytes.length > SHARD_BYTES) flush();
    records.push({ ...facts, nbytes: bytes.length, byteOffset: size });
    parts.push(bytes);
    size += bytes.length;
    total += bytes.length;
  }
  flush();
  const write = (name, json) => writeFileSync(join(folder, name), JSON.stringify(json));
  const count = shards.reduce((sum, { records: one }) => sum + one.length, 0);
  const manifest = { metadata: { ParamSize: count, ParamBytes: total, BitsPerParam: 4.5 }, records: shards };
  write('ndarray-cache.json', manifest);
  write('tensor-cache.json', manifest);
  write('tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: null,
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      vocab: Object.fromEntries(alphabet().map((character, byte) => [character, byte])),
      merges: [],
    },
  });
  write('tokenizer_config.json', { tokenizer_class: 'PreTrainedTokenizerFast', model_max_length: 4096 });
  write('mlc-chat-config.json', CONFIG);
}
