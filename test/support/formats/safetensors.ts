/**
 * Safetensors checkpoints of floats as transformers writes them, and as MLX quantises them (`mlx.core.quantize`, affine: u32
 * words of codes along the input, scale and bias a group), with random codes.
 */
import type { WeightDType } from '../../../src/numbers.ts';
import { safetensorsFile } from '../checkpoint.ts';
import { floatBytes, randomFloats } from './floats.ts';
import {
  configJson,
  distribute,
  type Fusing,
  type Group,
  groupsOf,
  type MadeCheckpoint,
  rowsOf,
  type Shape,
} from './layout.ts';
import { type Draw, drawFrom } from './random.ts';

interface Tensor {
  dtype: string;
  shape: number[];
  bytes: Uint8Array;
}

/** A file of these tensors, in the order of the map. */
export function safetensorsOf(tensors: ReadonlyMap<string, Tensor>): Uint8Array {
  const header: Record<string, unknown> = {};
  let offset = 0;
  for (const [name, { dtype, shape, bytes }] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + bytes.length] };
    offset += bytes.length;
  }
  const file = safetensorsFile(header, offset);
  let at = file.length - offset;
  for (const { bytes } of tensors.values()) {
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

/** What transformers calls a group that is no single tensor; Phi-3's are fused. */
function hfName(layer: number, key: string, group: Group): string {
  const fused: Record<string, string> = {
    qkv: 'self_attn.qkv_proj',
    gate_up: 'mlp.gate_up_proj',
    'experts.gate': 'mlp.switch_mlp.gate_proj',
    'experts.up': 'mlp.switch_mlp.up_proj',
    'experts.down': 'mlp.switch_mlp.down_proj',
  };
  return fused[key] === undefined ? group.rows[0]![0] : `model.layers.${layer}.${fused[key]}.weight`;
}

function fusingOf(shape: Shape, experts: Fusing['experts']): Fusing {
  const phi3 = shape.architecture === 'phi3';
  return { qkv: phi3, gateUp: phi3, experts };
}

export function floatCheckpoint(shape: Shape, dtype: WeightDType, seed = 1): MadeCheckpoint {
  const draw = drawFrom(seed);
  const values = new Map<string, Float64Array>();
  const tensors = new Map<string, Tensor>();
  for (const { layer, key, group } of groupsOf(shape, fusingOf(shape, 'each'))) {
    const made = randomFloats(group, draw, dtype);
    distribute(group, made.values, values);
    const sizes = group.columns === null ? [rowsOf(group)] : [rowsOf(group), group.columns];
    tensors.set(hfName(layer, key, group), { dtype, shape: sizes, bytes: made.bytes });
  }
  const config = JSON.stringify(configJson(shape));
  return { files: { 'config.json': config, 'model.safetensors': safetensorsOf(tensors) }, values };
}

/** Codes little end first in u32 words; value = code · scale + bias. */
function affine(group: Group, draw: Draw, bits: number, size: number, dtype: WeightDType) {
  const columns = group.columns!;
  const rows = rowsOf(group);
  const groups = columns / size;
  const words = new Uint32Array((rows * columns * bits) / 32);
  const perWord = 32 / bits;
  const levels = 2 ** bits;
  const reach = Math.sqrt(3 / columns);
  const count = rows * groups;
  const scales = floatBytes(
    Array.from({ length: count }, () => ((2 * reach) / (levels - 1)) * (1 + 0.2 * draw.signed())),
    dtype,
  );
  const biases = floatBytes(
    Array.from({ length: count }, () => -reach * (1 + 0.2 * draw.signed())),
    dtype,
  );
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    const code = draw.below(levels);
    words[Math.floor(i / perWord)]! |= (code << (bits * (i % perWord))) >>> 0;
    const at = Math.floor(i / size);
    values[i] = code * scales.values[at]! + biases.values[at]!;
  }
  return { words: new Uint8Array(words.buffer), scales: scales.bytes, biases: biases.bytes, groups, values };
}

export interface MlxOptions {
  bits: 4 | 8;
  group: 32 | 64;
  dtype: WeightDType;
  seed?: number;
}

/** As mlx-lm converts: everything with two dimensions, embedding and router included; experts stacked. */
export function mlxCheckpoint(shape: Shape, { bits, group: size, dtype, seed = 1 }: MlxOptions): MadeCheckpoint {
  const draw = drawFrom(seed);
  const values = new Map<string, Float64Array>();
  const tensors = new Map<string, Tensor>();
  const quantization: Record<string, unknown> = { group_size: size, bits };
  for (const { layer, key, group } of groupsOf(shape, fusingOf(shape, 'stacked'))) {
    const name = hfName(layer, key, group);
    if (group.columns === null || group.columns % size !== 0) {
      const made = randomFloats(group, draw, dtype);
      distribute(group, made.values, values);
      const sizes = group.columns === null ? [rowsOf(group)] : [rowsOf(group), group.columns];
      tensors.set(name, { dtype, shape: sizes, bytes: made.bytes });
      continue;
    }
    const base = name.slice(0, -'.weight'.length);
    // mlx-lm gives routers 8 bits in groups of 64, and says so under their name.
    const own = key === 'router' ? 8 : bits;
    if (own !== bits) quantization[base] = { group_size: size, bits: own };
    const made = affine(group, draw, own, size, dtype);
    distribute(group, made.values, values);
    const stacked = key.startsWith('experts.') ? group.rows.length : 0;
    const sizes = stacked > 0 ? [stacked, rowsOf(group) / stacked] : [rowsOf(group)];
    tensors.set(`${base}.biases`, { dtype, shape: [...sizes, made.groups], bytes: made.biases });
    tensors.set(`${base}.scales`, { dtype, shape: [...sizes, made.groups], bytes: made.scales });
    tensors.set(name, { dtype: 'U32', shape: [...sizes, (group.columns * own) / 32], bytes: made.words });
  }
  const config = { ...configJson(shape), quantization, quantization_config: quantization };
  return { files: { 'config.json': JSON.stringify(config), 'model.safetensors': safetensorsOf(tensors) }, values };
}
