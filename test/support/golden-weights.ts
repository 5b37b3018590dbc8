/**
 * The models of test/golden/transformers.json: logits by their authors' implementations, on weights that follow from their
 * names (scripts/golden-transformers.py makes the same, bit for bit).
 */
import { readFileSync } from 'node:fs';
import type { ReferenceWeights } from '../reference/decoder.ts';

export interface GoldenModel {
  /** As in config.json. */
  config: Record<string, unknown>;
  /** Shapes by name, as the implementation names its tensors. */
  tensors: Record<string, number[]>;
  /** After the token at each of these positions, all tokens read. */
  logits: Record<string, number[]>;
  /** After the last of the first `length` tokens, only those read. */
  short: { length: number; logits: number[] };
}

export interface Golden {
  tokens: number[];
  models: Record<string, GoldenModel>;
}

export function readGolden(): Golden {
  return JSON.parse(readFileSync(new URL('../golden/transformers.json', import.meta.url), 'utf8')) as Golden;
}

/** FNV-1a, 32 bits. */
function hashOf(name: string): number {
  let state = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) state = Math.imul(state ^ byte, 0x01000193) >>> 0;
  return state;
}

/** The values of a tensor, row-major: those that `values` of the script makes. */
export function goldenValues(name: string, shape: readonly number[]): Float64Array {
  let state = hashOf(name);
  const size = shape.reduce((a, b) => a * b, 1);
  const inputs = shape[1];
  const scale = inputs === undefined ? 1 : 2 ** Math.round(Math.log2(Math.sqrt(3 / inputs)));
  return Float64Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const unit = ((state >>> 21) - 1024) / 1024;
    if (inputs !== undefined) return unit * scale;
    return name.endsWith('.bias') ? unit / 4 : 1 + Math.trunc(unit * 256) / 1024;
  });
}

/** All weights of a model, those that Phi-3 has in one put apart, by row. */
export function goldenWeights({ tensors, config }: GoldenModel): ReferenceWeights {
  const weights: ReferenceWeights = new Map();
  const head = Number(config.hidden_size) / Number(config.num_attention_heads);
  const keys = Number(config.num_key_value_heads) * head;
  for (const [name, shape] of Object.entries(tensors)) {
    const data = goldenValues(name, shape);
    const parts = name.includes('qkv_proj')
      ? { q_proj: shape[0]! - 2 * keys, k_proj: keys, v_proj: keys }
      : name.includes('gate_up_proj')
        ? { gate_proj: shape[0]! / 2, up_proj: shape[0]! / 2 }
        : { [name]: shape[0]! };
    let row = 0;
    for (const [part, rows] of Object.entries(parts)) {
      const size = shape.slice(1).reduce((a, b) => a * b, 1);
      weights.set(part === name ? name : name.replace(/qkv_proj|gate_up_proj/, part), {
        shape: [rows, ...shape.slice(1)],
        data: data.subarray(row * size, (row + rows) * size),
      });
      row += rows;
    }
  }
  return weights;
}
