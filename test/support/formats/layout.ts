/**
 * The tensors of a tiny decoder, as its publishers group them: written from the models' own code and config files, not from
 * the readers under test.
 */

/** What a made checkpoint is of. */
export interface Shape {
  architecture: 'llama' | 'qwen2' | 'qwen3' | 'qwen3_moe' | 'phi3';
  layers: number;
  hidden: number;
  intermediate: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocab: number;
  tied: boolean;
  experts?: { count: number; perToken: number; intermediate: number };
}

/** Named rows of a matrix, in order. `columns` null: a vector. */
export interface Group {
  rows: [canonical: string, rows: number][];
  columns: number | null;
}

export const TINY_SHAPES: Readonly<Record<Shape['architecture'], Shape>> = (() => {
  const common = { layers: 2, hidden: 64, intermediate: 96, heads: 4, kvHeads: 2, headDim: 16, vocab: 96, tied: false };
  return {
    llama: { ...common, architecture: 'llama', tied: true },
    qwen2: { ...common, architecture: 'qwen2' },
    qwen3: { ...common, architecture: 'qwen3', headDim: 32, tied: true },
    qwen3_moe: { ...common, architecture: 'qwen3_moe', experts: { count: 4, perToken: 2, intermediate: 32 } },
    phi3: { ...common, architecture: 'phi3' },
  };
})();

/** Sizes that blocks of 256 divide. */
export function wide(shape: Shape): Shape {
  return {
    ...shape,
    layers: 1,
    hidden: 256,
    intermediate: 256,
    headDim: 64,
    vocab: 64,
    ...(shape.experts ? { experts: { ...shape.experts, intermediate: 256 } } : {}),
  };
}

const NAMES = {
  llama: 'LlamaForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
  qwen3_moe: 'Qwen3MoeForCausalLM',
  phi3: 'Phi3ForCausalLM',
} as const;

/** `config.json` as transformers writes it. */
export function configJson(shape: Shape): Record<string, unknown> {
  const { experts } = shape;
  return {
    architectures: [NAMES[shape.architecture]],
    model_type: shape.architecture,
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.kvHeads,
    head_dim: shape.headDim,
    vocab_size: shape.vocab,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    rope_scaling: null,
    max_position_embeddings: 256,
    hidden_act: 'silu',
    tie_word_embeddings: shape.tied,
    ...(experts
      ? {
          num_experts: experts.count,
          num_experts_per_tok: experts.perToken,
          moe_intermediate_size: experts.intermediate,
          norm_topk_prob: true,
        }
      : {}),
  };
}

/** Which matrices are one in the file. */
export interface Fusing {
  qkv: boolean;
  gateUp: boolean;
  /** `each`: experts apart; `stacked`: gate, up and down each of all experts; `fused`: gate and up of each expert together. */
  experts: 'each' | 'stacked' | 'fused';
}

/** All tensors, by a plain key: "qkv", "gate_up", "experts.gate" … under `layer`; the outer ones under −1. */
export function groupsOf(shape: Shape, fusing: Fusing): { layer: number; key: string; group: Group }[] {
  const { hidden, headDim, architecture, experts } = shape;
  const [q, k] = [shape.heads * headDim, shape.kvHeads * headDim];
  const groups: { layer: number; key: string; group: Group }[] = [];
  const add = (layer: number, key: string, columns: number | null, ...rows: [string, number][]) =>
    void groups.push({ layer, key, group: { rows, columns } });

  add(-1, 'embedding', hidden, ['model.embed_tokens.weight', shape.vocab]);
  for (let layer = 0; layer < shape.layers; layer++) {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    const swiglu = (place: string, size: number, prefix = '') => {
      const [gate, up] = [at(`${place}.gate_proj.weight`), at(`${place}.up_proj.weight`)];
      if (fusing.gateUp) add(layer, `${prefix}gate_up`, hidden, [gate, size], [up, size]);
      else {
        add(layer, `${prefix}gate`, hidden, [gate, size]);
        add(layer, `${prefix}up`, hidden, [up, size]);
      }
      add(layer, `${prefix}down`, size, [at(`${place}.down_proj.weight`), hidden]);
    };
    add(layer, 'input_norm', null, [at('input_layernorm.weight'), hidden]);
    for (const kind of architecture === 'qwen2' ? ['weight', 'bias'] : ['weight']) {
      const suffix = kind === 'bias' ? '.bias' : '';
      const columns = kind === 'bias' ? null : hidden;
      const parts: [string, string, number][] = [
        ['q', at(`self_attn.q_proj.${kind}`), q],
        ['k', at(`self_attn.k_proj.${kind}`), k],
        ['v', at(`self_attn.v_proj.${kind}`), k],
      ];
      if (fusing.qkv)
        add(layer, `qkv${suffix}`, columns, ...parts.map(([, name, rows]): [string, number] => [name, rows]));
      else for (const [key, name, rows] of parts) add(layer, `${key}${suffix}`, columns, [name, rows]);
    }
    if (architecture === 'qwen3' || architecture === 'qwen3_moe') {
      add(layer, 'q_norm', null, [at('self_attn.q_norm.weight'), headDim]);
      add(layer, 'k_norm', null, [at('self_attn.k_norm.weight'), headDim]);
    }
    add(layer, 'o', q, [at('self_attn.o_proj.weight'), hidden]);
    add(layer, 'post_norm', null, [at('post_attention_layernorm.weight'), hidden]);
    if (!experts) swiglu('mlp', shape.intermediate);
    else {
      const size = experts.intermediate;
      const each = Array.from({ length: experts.count }, (_, e) => at(`mlp.experts.${e}`));
      add(layer, 'router', hidden, [at('mlp.gate.weight'), experts.count]);
      const all = (part: string, rows: number) =>
        each.map((expert): [string, number] => [`${expert}.${part}_proj.weight`, rows]);
      if (fusing.experts === 'each')
        for (let e = 0; e < experts.count; e++) swiglu(`mlp.experts.${e}`, size, `experts.${e}.`);
      else if (fusing.experts === 'stacked') {
        add(layer, 'experts.gate', hidden, ...all('gate', size));
        add(layer, 'experts.up', hidden, ...all('up', size));
      } else {
        const pairs = each.flatMap((expert): [string, number][] => [
          [`${expert}.gate_proj.weight`, size],
          [`${expert}.up_proj.weight`, size],
        ]);
        add(layer, 'experts.gate_up', hidden, ...pairs);
      }
      if (fusing.experts !== 'each') add(layer, 'experts.down', size, ...all('down', hidden));
    }
  }
  add(-1, 'norm', null, ['model.norm.weight', hidden]);
  if (!shape.tied) add(-1, 'head', hidden, ['lm_head.weight', shape.vocab]);
  return groups;
}

/** A made checkpoint, and what its tensors must come out as. */
export interface MadeCheckpoint {
  files: Record<string, Uint8Array | string>;
  /** Exact values by Hugging Face name. */
  values: Map<string, Float64Array>;
}

/** Splits the values of a group among the tensors it holds. */
export function distribute({ rows, columns }: Group, all: Float64Array, values: Map<string, Float64Array>): void {
  let at = 0;
  for (const [name, count] of rows) {
    const size = count * (columns ?? 1);
    values.set(name, all.slice(at, at + size));
    at += size;
  }
}

export const rowsOf = ({ rows }: Group) => rows.reduce((sum, [, count]) => sum + count, 0);
