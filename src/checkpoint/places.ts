/**
 * Where a tensor may be, by the names that publishers give: as Hugging Face names it, or as some rows of a larger one, since
 * many fuse what shares an input. Names are given without what each format puts at their end.
 */
import type { ModelConfig } from './config.ts';

/** Rows of a stored tensor. */
export interface Place {
  readonly name: string;
  readonly firstRow: number;
  /** Rows that the whole stored tensor has. */
  readonly of: number;
}

/** The parts of a name: "model.layers.3.mlp.experts.5.up_proj.weight" → layer 3, expert 5, "mlp.experts.up_proj", "weight". */
interface Parts {
  readonly layer: number;
  readonly expert: number | null;
  readonly part: string;
  readonly suffix: string;
}

function partsOf(name: string): Parts | null {
  const found = /^model\.layers\.(\d+)\.(.+)\.(weight|bias)$/.exec(name);
  if (!found) return null;
  const [, layer = '', path = '', suffix = ''] = found;
  const expert = /^mlp\.experts\.(\d+)\./.exec(path)?.[1];
  return {
    layer: Number(layer),
    expert: expert === undefined ? null : Number(expert),
    part: path.replace(/^mlp\.experts\.\d+\./, 'mlp.experts.'),
    suffix,
  };
}

interface Fused {
  readonly into: string;
  readonly firstRow: number;
  readonly of: number;
}

/** The larger tensors that may hold a part of a layer. */
function fusedOf(config: ModelConfig, { part, expert }: Parts): Fused[] {
  const queries = config.heads * config.headDim;
  const keys = config.kvHeads * config.headDim;
  const attention = (firstRow: number): Fused[] =>
    ['self_attn.qkv_proj', 'self_attn.c_attn'].map((into) => ({ into, firstRow, of: queries + 2 * keys }));
  const size = config.intermediateSize;
  const { experts = 0, intermediateSize: own = 0 } = config.moe ?? {};
  const place = expert ?? 0;
  switch (part) {
    case 'self_attn.q_proj':
      return attention(0);
    case 'self_attn.k_proj':
      return attention(queries);
    case 'self_attn.v_proj':
      return attention(queries + keys);
    case 'mlp.gate_proj':
      return [{ into: 'mlp.gate_up_proj', firstRow: 0, of: 2 * size }];
    case 'mlp.up_proj':
      return [{ into: 'mlp.gate_up_proj', firstRow: size, of: 2 * size }];
    case 'mlp.experts.gate_proj':
      return [
        { into: 'mlp.moe_gate_up_proj', firstRow: place * 2 * own, of: experts * 2 * own },
        { into: 'mlp.switch_mlp.gate_proj', firstRow: place * own, of: experts * own },
      ];
    case 'mlp.experts.up_proj':
      return [
        { into: 'mlp.moe_gate_up_proj', firstRow: (place * 2 + 1) * own, of: experts * 2 * own },
        { into: 'mlp.switch_mlp.up_proj', firstRow: place * own, of: experts * own },
      ];
    case 'mlp.experts.down_proj': {
      const of = experts * config.hiddenSize;
      const firstRow = place * config.hiddenSize;
      return ['mlp.moe_down_proj', 'mlp.switch_mlp.down_proj'].map((into) => ({ into, firstRow, of }));
    }
    default:
      return [];
  }
}

/** Places of a tensor of `rows` rows in safetensors files and in MLC's shards, the plain name first. */
export function placesOf(config: ModelConfig, name: string, rows: number): Place[] {
  const parts = partsOf(name);
  const plain = { name, firstRow: 0, of: rows };
  if (!parts) return [plain];
  const fused = fusedOf(config, parts).map(({ into, firstRow, of }) => ({
    name: `model.layers.${parts.layer}.${into}.${parts.suffix}`,
    firstRow,
    of,
  }));
  return [plain, ...fused];
}

/** What MLC calls the parts of Phi-3. */
export function mlcPhi3Name(name: string): string {
  return name
    .replace(/^model\.layers\./, 'transformer.h.')
    .replace(/^model\.embed_tokens\./, 'transformer.embd.')
    .replace(/^model\.norm\./, 'transformer.norm.')
    .replace('.input_layernorm.', '.ln.')
    .replace('.self_attn.o_proj.', '.mixer.out_proj.')
    .replace('.self_attn.', '.mixer.');
}

const GGUF_PARTS: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
  'mlp.gate': 'ffn_gate_inp',
  'mlp.experts.gate_proj': 'ffn_gate_exps',
  'mlp.experts.up_proj': 'ffn_up_exps',
  'mlp.experts.down_proj': 'ffn_down_exps',
  'self_attn.qkv_proj': 'attn_qkv',
  // Phi-3's gate and up are one tensor, under the name of the latter.
  'mlp.gate_up_proj': 'ffn_up',
};

const GGUF_OUTER: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': 'token_embd.weight',
  'model.norm.weight': 'output_norm.weight',
  'lm_head.weight': 'output.weight',
};

/** Places of a tensor of `rows` rows in GGUF files; experts are rows of one tensor there. */
export function ggufPlacesOf(config: ModelConfig, name: string, rows: number): Place[] {
  const parts = partsOf(name);
  if (!parts) return [{ name: GGUF_OUTER[name] ?? name, firstRow: 0, of: rows }];
  const { layer, expert, suffix, part } = parts;
  const at = (own: string) => `blk.${layer}.${GGUF_PARTS[own] ?? own}.${suffix}`;
  const plain =
    expert === null
      ? { name: at(part), firstRow: 0, of: rows }
      : { name: at(part), firstRow: expert * rows, of: rows * (config.moe?.experts ?? 0) };
  const fused = fusedOf(config, parts).filter(({ into }) => GGUF_PARTS[into] !== undefined);
  return [plain, ...fused.map(({ into, firstRow, of }) => ({ name: at(into), firstRow, of }))];
}
