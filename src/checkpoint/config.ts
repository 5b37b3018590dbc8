/** `config.json`: what decoder the weights are for, as features that kernels understand. Every field is checked. */
import { ReckonError } from '../errors.ts';
import { Fields, type JsonObject, parseJson } from './json.ts';
import { type RopeScaling, ropeScalingJson, ropeScalingOf, ropeThetaOf } from './rope-scaling.ts';

/** A feed-forward of experts (Qwen3-MoE): a router's softmax, the best k experts, their outputs summed by its weights. */
export interface MoeConfig {
  readonly experts: number;
  /** k: experts that a token is sent to. */
  readonly expertsPerToken: number;
  /** Of each expert. */
  readonly intermediateSize: number;
  /** The k weights are divided by their sum. */
  readonly normTopkProb: boolean;
  /** Layers, ascending, that have the plain feed-forward of `ModelConfig.intermediateSize` instead. */
  readonly denseLayers: readonly number[];
}

/** A decoder by its features. Sizes in elements. */
export interface ModelConfig {
  /** As `config.json` names it: "Qwen3ForCausalLM". */
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  /** Of the plain feed-forward. */
  readonly intermediateSize: number;
  /** Query heads; a multiple of `kvHeads`. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** Null: plain RoPE. */
  readonly ropeScaling: RopeScaling | null;
  /** Elements of each head, from its first, that are rotated; even, at most `headDim`. The others stay. */
  readonly rotaryDim: number;
  /** RMSNorm over each query and key head before RoPE. */
  readonly qkNorm: boolean;
  /** Biases on the query, key and value projections. */
  readonly qkvBias: boolean;
  /** The output head is the embedding. */
  readonly tiedEmbeddings: boolean;
  readonly moe: MoeConfig | null;
  /** Longest sequence, tokens: what the model was made for, and within its sliding window where it has one. */
  readonly maxContext: number;
  /** Tokens that a sliding window would see: attention here has none, so `maxContext` ends where it would begin to slide. */
  readonly slidingWindow: number | null;
  readonly activation: 'silu';
}

/** What a name in `architectures` stands for, and what Hugging Face assumes where `config.json` is silent. */
interface Architecture {
  readonly modelType: string;
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  /** Null: hidden_size / num_attention_heads. */
  readonly headDim: number | null;
  readonly moe: boolean;
  /** A sliding window counts only where `use_sliding_window` is true. */
  readonly optionalWindow: boolean;
}

const LLAMA: Architecture = {
  modelType: 'llama',
  qkNorm: false,
  qkvBias: false,
  headDim: null,
  moe: false,
  optionalWindow: false,
};
const QWEN3: Architecture = { ...LLAMA, modelType: 'qwen3', qkNorm: true, headDim: 128, optionalWindow: true };

const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ['LlamaForCausalLM', LLAMA],
  ['MistralForCausalLM', { ...LLAMA, modelType: 'mistral' }],
  ['Phi3ForCausalLM', { ...LLAMA, modelType: 'phi3' }],
  ['Qwen2ForCausalLM', { ...LLAMA, modelType: 'qwen2', qkvBias: true, optionalWindow: true }],
  ['Qwen3ForCausalLM', QWEN3],
  ['Qwen3MoeForCausalLM', { ...QWEN3, modelType: 'qwen3_moe', headDim: null, moe: true }],
]);

/** Architectures that load. */
export const KNOWN_ARCHITECTURES: readonly string[] = [...ARCHITECTURES.keys()];

/** The architecture that a `model_type` ("qwen3_moe") stands for, where a config names nothing else. */
export function architectureOfType(modelType: unknown): string | undefined {
  return [...ARCHITECTURES].find(([, known]) => known.modelType === modelType)?.[0];
}

const FILE = 'config.json';

function unsupported(file: string, what: string, details: Record<string, unknown>): ReckonError {
  return new ReckonError('unknown-architecture', `${file}: ${what}.`, {
    hint: `Known architectures: ${KNOWN_ARCHITECTURES.join(', ')}, with RoPE plain or scaled (linear, llama3, yarn, longrope) and dense attention.`,
    details,
  });
}

/** By `architectures`, or by `model_type` where that is silent. */
function architectureOf(fields: Fields, file: string): [string, Architecture] {
  const value = fields.raw('architectures') ?? undefined;
  const type = fields.raw('model_type');
  const name = Array.isArray(value) ? value[0] : value === undefined ? (architectureOfType(type) ?? type) : undefined;
  if (typeof name !== 'string') throw fields.error('architectures', 'a list with the name of the architecture');
  const known = ARCHITECTURES.get(name);
  if (!known) {
    const shown = JSON.stringify(name.slice(0, 80));
    throw unsupported(file, `the architecture ${shown} is not known`, { architecture: name.slice(0, 80) });
  }
  return [name, known];
}

/** Sequences up to the window see all of it: within it, dense attention is the same. */
function windowOf(fields: Fields, { optionalWindow }: Architecture): number | null {
  const value = fields.raw('sliding_window') ?? null;
  const layers = fields.raw('layer_types');
  const used = Array.isArray(layers)
    ? layers.includes('sliding_attention')
    : fields.boolean('use_sliding_window', !optionalWindow);
  if (!used) return null;
  if (value === null) {
    if (Array.isArray(layers)) throw fields.error('sliding_window', 'a number of tokens, as layer_types asks for it');
    return null;
  }
  // MLC writes -1 for none.
  return value === -1 ? null : fields.number('sliding_window', { min: 1, max: 1 << 30, integer: true });
}

function moeOf(fields: Fields, layers: number): MoeConfig | null {
  const experts = fields.number('num_experts', { min: 0, max: 1024, integer: true });
  if (experts === 0) return null;
  const step = fields.number('decoder_sparse_step', { min: 1, max: 1024, integer: true, fallback: 1 });
  const only = fields.raw('mlp_only_layers') ?? [];
  const isLayer = (one: unknown): one is number => Number.isInteger(one) && (one as number) >= 0;
  if (!Array.isArray(only) || !only.every(isLayer)) throw fields.error('mlp_only_layers', 'a list of layers');
  const dense = new Set(only);
  return {
    experts,
    expertsPerToken: fields.number('num_experts_per_tok', { min: 1, max: Math.min(experts, 64), integer: true }),
    intermediateSize: fields.number('moe_intermediate_size', { min: 2, max: 1 << 20, integer: true, multiple: 2 }),
    normTopkProb: fields.boolean('norm_topk_prob', false),
    denseLayers: Array.from({ length: layers }, (_, layer) => layer).filter(
      (layer) => dense.has(layer) || (layer + 1) % step !== 0,
    ),
  };
}

/** True where the layer's feed-forward is one of experts. */
export function isMoeLayer({ moe }: Pick<ModelConfig, 'moe'>, layer: number): boolean {
  return moe !== null && !moe.denseLayers.includes(layer);
}

/**
 * Parses `config.json`, given as text or as the parsed object.
 * @param file Its name in messages.
 * @throws ReckonError `bad-checkpoint` naming the field, its value and what it must be; `unknown-architecture` for a model
 *   that is well described but not supported.
 */
export function parseModelConfig(json: string | JsonObject, file = FILE): ModelConfig {
  const fields = new Fields(typeof json === 'string' ? parseJson(json, file) : json, file);
  const [architecture, features] = architectureOf(fields, file);
  for (const name of ['attention_bias', 'mlp_bias']) {
    // Qwen2's biases are its own; its config does not mention them, but MLC's does.
    if (fields.boolean(name, false) && !(name === 'attention_bias' && features.qkvBias))
      throw unsupported(file, `it has biases that are not supported (${name})`, { field: name });
  }
  if ((fields.raw('quantization_config') ?? null) !== null && (fields.raw('quantization') ?? null) === null)
    throw unsupported(file, 'its weights are quantised in a way that is not known', { field: 'quantization_config' });
  const activation = fields.raw('hidden_act');
  if (activation !== 'silu') throw fields.error('hidden_act', '"silu"');

  const layers = fields.number('num_hidden_layers', { min: 1, max: 1024, integer: true });
  const hiddenSize = fields.number('hidden_size', { min: 2, max: 65536, integer: true, multiple: 2 });
  const heads = fields.number('num_attention_heads', { min: 1, max: 1024, integer: true });
  const kvHeads = fields.number('num_key_value_heads', { min: 1, max: heads, integer: true, fallback: heads });
  if (heads % kvHeads !== 0) throw fields.error('num_key_value_heads', `a divisor of num_attention_heads (${heads})`);
  const headDim = fields.number('head_dim', {
    min: 8,
    max: 256,
    integer: true,
    multiple: 8,
    fallback: features.headDim ?? hiddenSize / heads,
  });
  const rotaryDim = Math.floor(headDim * rotaryShareOf(fields, file));
  if (rotaryDim % 2 !== 0 || rotaryDim < 2)
    throw fields.error('partial_rotary_factor', `a share of head_dim (${headDim}) that makes an even number`);
  const positions = fields.number('max_position_embeddings', { min: 1, max: 1 << 24, integer: true });
  const ropeScaling = ropeScalingOf(fields, {
    file,
    rotaryDim,
    maxPositions: positions,
    unsupported: (what, details) => unsupported(file, what, details),
  });
  const slidingWindow = windowOf(fields, features);
  const stretched =
    ropeScaling?.type === 'yarn' ? Math.floor(ropeScaling.factor * ropeScaling.originalMaxContext) : positions;
  return {
    architecture,
    layers,
    hiddenSize,
    intermediateSize: fields.number('intermediate_size', { min: 2, max: 1 << 20, integer: true, multiple: 2 }),
    heads,
    kvHeads,
    headDim,
    vocabSize: fields.number('vocab_size', { min: 1, max: 1 << 24, integer: true }),
    normEps: fields.number('rms_norm_eps', { min: 1e-12, max: 0.1 }),
    ropeTheta: ropeThetaOf(fields, file),
    ropeScaling,
    rotaryDim,
    qkNorm: features.qkNorm,
    qkvBias: features.qkvBias,
    tiedEmbeddings: fields.boolean('tie_word_embeddings', false),
    moe: features.moe ? moeOf(fields, layers) : null,
    // YaRN's own README sets a factor and leaves max_position_embeddings as it was.
    maxContext: Math.min(Math.max(positions, stretched), slidingWindow ?? Number.POSITIVE_INFINITY),
    slidingWindow,
    activation,
  };
}

/** `partial_rotary_factor`, beside or within the description of RoPE. */
function rotaryShareOf(fields: Fields, file: string): number {
  const rule = { min: 1e-3, max: 1, fallback: 1 };
  const parameters = fields.raw('rope_parameters');
  if (fields.raw('partial_rotary_factor') === undefined && typeof parameters === 'object' && parameters !== null)
    return new Fields(parameters as JsonObject, `${file}, rope_parameters`).number('partial_rotary_factor', rule);
  return fields.number('partial_rotary_factor', rule);
}

/** The `config.json` that `parseModelConfig` reads back as `config`. */
export function modelConfigJson(config: ModelConfig): JsonObject {
  const { moe, slidingWindow } = config;
  return {
    architectures: [config.architecture],
    model_type: ARCHITECTURES.get(config.architecture)?.modelType,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    vocab_size: config.vocabSize,
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    rope_scaling: ropeScalingJson(config.ropeScaling),
    ...(config.rotaryDim === config.headDim ? {} : { partial_rotary_factor: config.rotaryDim / config.headDim }),
    max_position_embeddings: config.maxContext,
    ...(slidingWindow === null ? {} : { sliding_window: slidingWindow, use_sliding_window: true }),
    hidden_act: config.activation,
    attention_bias: false,
    tie_word_embeddings: config.tiedEmbeddings,
    ...(moe
      ? {
          num_experts: moe.experts,
          num_experts_per_tok: moe.expertsPerToken,
          moe_intermediate_size: moe.intermediateSize,
          norm_topk_prob: moe.normTopkProb,
          decoder_sparse_step: 1,
          mlp_only_layers: moe.denseLayers,
        }
      : {}),
  };
}
