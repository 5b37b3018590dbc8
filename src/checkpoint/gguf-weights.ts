/** A GGUF checkpoint: one file, or the parts of a split one; its weights, and the configuration in its metadata. */
import { ReckonError } from '../errors.ts';
import { decodeWeights } from '../numbers.ts';
import { architectureOfType } from './config.ts';
import { ggmlCodec, isGgmlFormat } from './ggml-codecs.ts';
import { type GgufHeader, type GgufTensor, type GgufValue, readGguf } from './gguf.ts';
import type { JsonObject } from './json.ts';
import { ggufPlacesOf } from './places.ts';
import { readPart } from './read-part.ts';
import { quoted } from './safetensors.ts';
import { type CheckpointSource, isMissingFile } from './source.ts';
import type { StoredTensor } from './stored.ts';
import type { WeightStore } from './weight-index.ts';

/** All parts together; the metadata are those of the first. */
export interface Gguf {
  readonly files: readonly GgufHeader[];
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

const PART = /-(\d{5})-of-(\d{5})\.gguf$/;
const MAX_PARTS = 1000;

/** The files of a split model, given one of them. */
export function ggufParts(file: string): string[] {
  const count = Number(PART.exec(file)?.[2] ?? 1);
  if (!PART.test(file) || count < 1 || count > MAX_PARTS) return [file];
  const name = (part: number) => `-${String(part).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;
  return Array.from({ length: count }, (_, i) => file.replace(PART, name(i + 1)));
}

/** Reads the headers of a model's file or files. @throws ReckonError `bad-checkpoint`, `network`, `aborted`. */
export async function openGguf(
  source: CheckpointSource,
  file: string,
  options: { signal?: AbortSignal } = {},
): Promise<Gguf> {
  const files = await Promise.all(
    ggufParts(file).map((part) =>
      readGguf(source, part, options).catch((error) => {
        if (!isMissingFile(error)) throw error;
        throw new ReckonError('bad-checkpoint', `The part ${quoted(part)} of the model is missing.`, {
          hint: 'Add the file beside the others.',
          details: { file: part, missing: true },
          cause: error,
        });
      }),
    ),
  );
  const tensors = new Map(files.flatMap((header) => [...header.tensors]));
  return { files, metadata: files[0]!.metadata, tensors };
}

/** What llama.cpp calls architectures that load, and what Hugging Face calls them. */
const MODEL_TYPES: Readonly<Record<string, string>> = {
  llama: 'llama',
  mistral: 'mistral',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
  qwen3moe: 'qwen3_moe',
  phi3: 'phi3',
};

/** Elements of a small f32 vector; null where it is not there. */
async function factors(source: CheckpointSource, gguf: Gguf, name: string): Promise<number[] | null> {
  const tensor = gguf.tensors.get(name);
  if (!tensor) return null;
  const { file, start, end, type } = tensor;
  if (type !== 'F32' || end - start > 4096) throw notUsable(tensor);
  const bytes = await readPart(source, file, start, end, undefined);
  return bytes.length < end - start ? null : [...decodeWeights(bytes, 'F32')];
}

/** `rope_scaling`: from metadata, and for Llama 3 and Phi-3 from tensors of divisors. */
async function ropeScaling(source: CheckpointSource, gguf: Gguf, get: (key: string) => GgufValue | undefined) {
  const original = get('rope.scaling.original_context_length');
  const short = await factors(source, gguf, 'rope_factors_short.weight');
  const long = await factors(source, gguf, 'rope_factors_long.weight');
  if (short && long) {
    return {
      rope_type: 'longrope',
      short_factor: short,
      long_factor: long,
      original_max_position_embeddings: original,
      attention_factor: get('rope.scaling.attn_factor'),
    };
  }
  const single = await factors(source, gguf, 'rope_freqs.weight');
  if (single) {
    // One list for all lengths: the divisors that llama3's rule amounts to.
    return {
      rope_type: 'longrope',
      short_factor: single,
      long_factor: single,
      original_max_position_embeddings: get('context_length'),
      attention_factor: 1,
    };
  }
  const type = get('rope.scaling.type') ?? 'none';
  const factor = get('rope.scaling.factor') ?? get('rope.scale_linear');
  if (type === 'none' || factor === undefined || factor === 1) return null;
  return { rope_type: type, factor, original_max_position_embeddings: original };
}

/**
 * The `config.json` that a file's metadata amount to.
 * @throws ReckonError `unknown-architecture` is left to who parses it; `bad-checkpoint` for tensors that cannot be read.
 */
export async function ggufConfigJson(source: CheckpointSource, gguf: Gguf): Promise<JsonObject> {
  const architecture = String(gguf.metadata.get('general.architecture') ?? '').slice(0, 80);
  const get = (key: string) => gguf.metadata.get(`${architecture}.${key}`);
  const type = Object.hasOwn(MODEL_TYPES, architecture) ? MODEL_TYPES[architecture] : undefined;
  const heads = get('attention.head_count');
  const hidden = get('embedding_length');
  const headDim =
    get('attention.key_length') ??
    (typeof hidden === 'number' && typeof heads === 'number' ? hidden / heads : undefined);
  const rotary = get('rope.dimension_count');
  const window = get('attention.sliding_window');
  return {
    // Mixtral is a "llama" too there.
    architectures: [
      type === 'llama' && get('expert_count') ? 'llama with experts' : (architectureOfType(type) ?? architecture),
    ],
    hidden_size: hidden,
    num_hidden_layers: get('block_count'),
    intermediate_size: get('feed_forward_length'),
    num_attention_heads: heads,
    num_key_value_heads: get('attention.head_count_kv'),
    head_dim: headDim,
    vocab_size: gguf.tensors.get('token_embd.weight')?.dimensions[1] ?? get('vocab_size'),
    rms_norm_eps: get('attention.layer_norm_rms_epsilon'),
    rope_theta: get('rope.freq_base') ?? 10000,
    rope_scaling: await ropeScaling(source, gguf, get),
    max_position_embeddings: get('context_length'),
    hidden_act: 'silu',
    tie_word_embeddings: !gguf.tensors.has('output.weight'),
    ...(typeof rotary === 'number' && typeof headDim === 'number' ? { partial_rotary_factor: rotary / headDim } : {}),
    ...(window ? { sliding_window: window, use_sliding_window: true } : {}),
    ...(get('expert_count')
      ? {
          num_experts: get('expert_count'),
          num_experts_per_tok: get('expert_used_count'),
          moe_intermediate_size: get('expert_feed_forward_length'),
          // llama.cpp divides by the sum without asking.
          norm_topk_prob: true,
        }
      : {}),
    eos_token_id: gguf.metadata.get('tokenizer.ggml.eos_token_id'),
  };
}

/** The commonest type by bytes: what people call the file by. */
function quantizationName(gguf: Gguf): string {
  const bytes = new Map<string, number>();
  for (const { type, start, end } of gguf.tensors.values()) bytes.set(type, (bytes.get(type) ?? 0) + end - start);
  return [...bytes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? 'F32';
}

function notUsable({ file, name, type }: GgufTensor): ReckonError {
  return new ReckonError('bad-checkpoint', `${file}: ${quoted(name)} is stored as ${type}.`, {
    hint: 'Of GGUF files, those load that hold F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K and Q6_K: choose one such as Q4_K_M.',
    details: { file, tensor: name, type },
  });
}

function stored(tensor: GgufTensor, interleavedHead: number | null): StoredTensor {
  const { name, dimensions, type } = tensor;
  const [columns = 0, ...rest] = dimensions;
  const vector = dimensions.length === 1;
  const rows = vector ? columns : rest.reduce((product, size) => product * size, 1);
  const common = { name, rows, columns: vector ? null : columns, spans: [tensor] as [GgufTensor], interleavedHead };
  if (type === 'F32' || type === 'F16' || type === 'BF16')
    return { ...common, encoding: { kind: 'float', dtype: type }, codec: null };
  if (!isGgmlFormat(type) || vector) throw notUsable(tensor);
  const codec = ggmlCodec(type);
  return { ...common, encoding: codec.encoding, codec };
}

/** @param headDim Of the model, by which Llama's interleaved heads are told apart. */
export function ggufStore(gguf: Gguf, headDim: number): WeightStore {
  const interleaves = ['llama', 'mistral'].includes(String(gguf.metadata.get('general.architecture')));
  return {
    format: 'gguf',
    quantization: quantizationName(gguf),
    files: gguf.files,
    find(name) {
      const tensor = gguf.tensors.get(name);
      return tensor && stored(tensor, interleaves && /\.attn_[qk]\.weight$/.test(name) ? headDim : null);
    },
    places: ggufPlacesOf,
  };
}
