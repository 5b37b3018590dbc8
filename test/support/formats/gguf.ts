/**
 * GGUF files as llama.cpp's convert_hf_to_gguf.py writes them (names and metadata: gguf-py/gguf/constants.py), with random
 * codes.
 */
import { randomFloats } from './floats.ts';
import { type BlockFormat, randomBlocks } from './ggml.ts';
import { distribute, type Group, groupsOf, type MadeCheckpoint, rowsOf, type Shape } from './layout.ts';
import { drawFrom } from './random.ts';

/** A value with its type's number in the format. */
export type Typed =
  | { type: 'u32' | 'i32' | 'f32' | 'u64'; value: number }
  | { type: 'bool'; value: boolean }
  | { type: 'string'; value: string }
  | { type: 'strings'; value: readonly string[] }
  | { type: 'i32s' | 'f32s'; value: readonly number[] };

export interface GgufTensor {
  /** Fastest first. */
  dimensions: number[];
  type: number;
  bytes: Uint8Array;
}

export const TYPE_NUMBERS = {
  F32: 0,
  F16: 1,
  Q4_0: 2,
  Q4_1: 3,
  Q5_0: 6,
  Q5_1: 7,
  Q8_0: 8,
  Q4_K: 12,
  Q5_K: 13,
  Q6_K: 14,
  BF16: 30,
} as const;

/** Writes little-endian numbers and strings. */
class Writer {
  readonly parts: Uint8Array[] = [];
  length = 0;

  bytes(part: Uint8Array): this {
    this.parts.push(part);
    this.length += part.length;
    return this;
  }

  #number(size: number, write: (view: DataView) => void): this {
    const part = new Uint8Array(size);
    write(new DataView(part.buffer));
    return this.bytes(part);
  }

  u32 = (value: number) => this.#number(4, (view) => view.setUint32(0, value, true));
  i32 = (value: number) => this.#number(4, (view) => view.setInt32(0, value, true));
  f32 = (value: number) => this.#number(4, (view) => view.setFloat32(0, value, true));
  u64 = (value: number) => this.#number(8, (view) => view.setBigUint64(0, BigInt(value), true));
  text = (value: string) => {
    const encoded = new TextEncoder().encode(value);
    return this.u64(encoded.length).bytes(encoded);
  };

  typed(entry: Typed): this {
    switch (entry.type) {
      case 'u32':
        return this.u32(4).u32(entry.value);
      case 'i32':
        return this.u32(5).i32(entry.value);
      case 'f32':
        return this.u32(6).f32(entry.value);
      case 'bool':
        return this.u32(7).bytes(Uint8Array.of(entry.value ? 1 : 0));
      case 'string':
        return this.u32(8).text(entry.value);
      case 'u64':
        return this.u32(10).u64(entry.value);
      case 'strings':
        this.u32(9).u32(8).u64(entry.value.length);
        for (const one of entry.value) this.text(one);
        return this;
      case 'i32s':
        this.u32(9).u32(5).u64(entry.value.length);
        for (const one of entry.value) this.i32(one);
        return this;
      case 'f32s':
        this.u32(9).u32(6).u64(entry.value.length);
        for (const one of entry.value) this.f32(one);
        return this;
    }
  }

  pad(multiple: number): this {
    return this.bytes(new Uint8Array((multiple - (this.length % multiple)) % multiple));
  }
}

/** A whole file, version 3. */
export function ggufFile(
  metadata: ReadonlyMap<string, Typed>,
  tensors: ReadonlyMap<string, GgufTensor>,
  alignment = 32,
): Uint8Array {
  const out = new Writer().bytes(new TextEncoder().encode('GGUF')).u32(3).u64(tensors.size).u64(metadata.size);
  for (const [key, value] of metadata) out.text(key).typed(value);
  let offset = 0;
  for (const [name, { dimensions, type, bytes }] of tensors) {
    out.text(name).u32(dimensions.length);
    for (const size of dimensions) out.u64(size);
    out.u32(type).u64(offset);
    offset += Math.ceil(bytes.length / alignment) * alignment;
  }
  out.pad(alignment);
  for (const { bytes } of tensors.values()) out.bytes(bytes).pad(alignment);
  return new Uint8Array(Buffer.concat(out.parts));
}

const ARCHITECTURES = { llama: 'llama', qwen2: 'qwen2', qwen3: 'qwen3', qwen3_moe: 'qwen3moe', phi3: 'phi3' } as const;

const PARTS: Record<string, string> = {
  input_norm: 'attn_norm',
  post_norm: 'ffn_norm',
  q: 'attn_q',
  k: 'attn_k',
  v: 'attn_v',
  qkv: 'attn_qkv',
  o: 'attn_output',
  q_norm: 'attn_q_norm',
  k_norm: 'attn_k_norm',
  gate: 'ffn_gate',
  up: 'ffn_up',
  gate_up: 'ffn_up',
  down: 'ffn_down',
  router: 'ffn_gate_inp',
  'experts.gate': 'ffn_gate_exps',
  'experts.up': 'ffn_up_exps',
  'experts.down': 'ffn_down_exps',
};

function nameOf(layer: number, key: string): string {
  if (layer < 0) return { embedding: 'token_embd.weight', norm: 'output_norm.weight', head: 'output.weight' }[key]!;
  const [part, kind = 'weight'] = key.split(/\.(?=bias$)/);
  return `blk.${layer}.${PARTS[part!]}.${kind}`;
}

export function ggufMetadata(shape: Shape): Map<string, Typed> {
  const name = ARCHITECTURES[shape.architecture];
  const u32 = (value: number): Typed => ({ type: 'u32', value });
  const entries: [string, Typed][] = [
    ['general.architecture', { type: 'string', value: name }],
    ['general.alignment', u32(32)],
    [`${name}.block_count`, u32(shape.layers)],
    [`${name}.context_length`, u32(256)],
    [`${name}.embedding_length`, u32(shape.hidden)],
    [`${name}.feed_forward_length`, u32(shape.intermediate)],
    [`${name}.attention.head_count`, u32(shape.heads)],
    [`${name}.attention.head_count_kv`, u32(shape.kvHeads)],
    [`${name}.attention.key_length`, u32(shape.headDim)],
    [`${name}.attention.value_length`, u32(shape.headDim)],
    [`${name}.attention.layer_norm_rms_epsilon`, { type: 'f32', value: 1e-5 }],
    [`${name}.rope.freq_base`, { type: 'f32', value: 10000 }],
    [`${name}.rope.dimension_count`, u32(shape.headDim)],
  ];
  if (shape.experts) {
    entries.push([`${name}.expert_count`, u32(shape.experts.count)]);
    entries.push([`${name}.expert_used_count`, u32(shape.experts.perToken)]);
    entries.push([`${name}.expert_feed_forward_length`, u32(shape.experts.intermediate)]);
  }
  return new Map(entries);
}

/** HF's row order from the file's: within each head, rows (j, p) of [headDim / 2, 2] become (p, j). */
function halvesApart(values: Float64Array, columns: number, headDim: number): Float64Array {
  const out = new Float64Array(values.length);
  for (let row = 0; row < values.length / columns; row++) {
    const [head, within] = [Math.floor(row / headDim), row % headDim];
    const [p, j] = [Math.floor(within / (headDim / 2)), within % (headDim / 2)];
    const from = head * headDim + j * 2 + p;
    out.set(values.subarray(from * columns, (from + 1) * columns), row * columns);
  }
  return out;
}

export interface GgufOptions {
  /** Of a matrix by its name in the file. */
  format: (name: string) => BlockFormat | 'F32' | 'F16' | 'BF16';
  seed?: number;
  metadata?: ReadonlyMap<string, Typed>;
  extra?: ReadonlyMap<string, GgufTensor>;
}

export function ggufCheckpoint(shape: Shape, { format, seed = 1, metadata, extra }: GgufOptions): MadeCheckpoint {
  const draw = drawFrom(seed);
  const values = new Map<string, Float64Array>();
  const tensors = new Map<string, GgufTensor>(extra);
  const phi3 = shape.architecture === 'phi3';
  for (const { layer, key, group } of groupsOf(shape, { qkv: phi3, gateUp: phi3, experts: 'stacked' })) {
    const name = nameOf(layer, key);
    const type = group.columns === null || key === 'router' ? 'F32' : format(name);
    const made =
      type === 'F32' || type === 'F16' || type === 'BF16'
        ? randomFloats(group, draw, type)
        : randomBlocks(type, rowsOf(group), group.columns!, draw);
    const permuted = shape.architecture === 'llama' && (key === 'q' || key === 'k');
    const own = permuted ? halvesApart(made.values, group.columns!, shape.headDim) : made.values;
    distribute(group, own, values);
    tensors.set(name, { dimensions: dimensions(group, key), type: TYPE_NUMBERS[type], bytes: made.bytes });
  }
  const file = ggufFile(new Map([...ggufMetadata(shape), ...(metadata ?? [])]), tensors);
  return { files: { 'model.gguf': file }, values };
}

function dimensions(group: Group, key: string): number[] {
  const rows = rowsOf(group);
  if (group.columns === null) return [rows];
  const stacked = key.startsWith('experts.');
  return stacked ? [group.columns, rows / group.rows.length, group.rows.length] : [group.columns, rows];
}
