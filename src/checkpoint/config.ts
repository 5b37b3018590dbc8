/** `config.json`: what decoder the weights are for, as features that kernels understand. Every field is checked. */
import { ReckonError } from '../errors.ts';
import { Fields, type JsonObject, parseJson } from './json.ts';

/** A decoder by its features. Sizes in elements. */
export interface ModelConfig {
  /** As `config.json` names it: "Qwen3ForCausalLM". */
  readonly architecture: string;
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  /** Query heads; a multiple of `kvHeads`. */
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly normEps: number;
  readonly ropeTheta: number;
  /** RMSNorm over each query and key head before RoPE. */
  readonly qkNorm: boolean;
  /** Biases on the query, key and value projections. */
  readonly qkvBias: boolean;
  /** The output head is the embedding. */
  readonly tiedEmbeddings: boolean;
  /** Longest sequence the model was made for, tokens. */
  readonly maxContext: number;
  readonly activation: 'silu';
}

interface Architecture {
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  /** What Hugging Face assumes where `config.json` is silent. */
  readonly headDim: number;
}

const ARCHITECTURES: ReadonlyMap<string, Architecture> = new Map([
  ['Qwen3ForCausalLM', { qkNorm: true, qkvBias: false, headDim: 128 }],
]);

/** Architectures that load. */
export const KNOWN_ARCHITECTURES: readonly string[] = [...ARCHITECTURES.keys()];

const FILE = 'config.json';

function unsupported(what: string, details: Record<string, unknown>): ReckonError {
  return new ReckonError('unknown-architecture', `${FILE}: ${what}.`, {
    hint: `Known architectures: ${KNOWN_ARCHITECTURES.join(', ')}, with plain RoPE, dense attention and unquantised weights.`,
    details,
  });
}

function architectureOf(fields: Fields): [string, Architecture] {
  const value = fields.raw('architectures');
  const name = Array.isArray(value) ? value[0] : undefined;
  if (typeof name !== 'string') throw fields.error('architectures', 'a list with the name of the architecture');
  const known = ARCHITECTURES.get(name);
  if (!known)
    throw unsupported(`the architecture ${JSON.stringify(name.slice(0, 80))} is not known`, { architecture: name });
  return [name, known];
}

/** θ from `rope_theta`, or `rope_parameters.rope_theta` as newer transformers write it. Scaled RoPE is refused. */
function ropeThetaOf(fields: Fields): number {
  for (const name of ['rope_scaling', 'rope_parameters']) {
    const value = fields.raw(name);
    if (value === undefined || value === null) continue;
    if (typeof value !== 'object' || Array.isArray(value)) throw fields.error(name, 'an object or null');
    const scaling = value as JsonObject;
    const type = scaling.rope_type ?? scaling.type ?? 'default';
    if (type !== 'default')
      throw unsupported(`${name} asks for RoPE of type ${JSON.stringify(type)}`, { field: name, type });
  }
  const rule = { min: 1, max: 1e12 };
  if (fields.raw('rope_theta') !== undefined) return fields.number('rope_theta', rule);
  const parameters = fields.raw('rope_parameters');
  if (parameters === undefined || parameters === null) throw fields.error('rope_theta', 'a number from 1');
  return new Fields(parameters as JsonObject, `${FILE}, rope_parameters`).number('rope_theta', rule);
}

/**
 * Parses `config.json`, given as text or as the parsed object.
 * @throws ReckonError `bad-checkpoint` naming the field, its value and what it must be; `unknown-architecture` for a model
 *   that is well described but not supported.
 */
export function parseModelConfig(json: string | JsonObject): ModelConfig {
  const fields = new Fields(typeof json === 'string' ? parseJson(json, FILE) : json, FILE);
  const [architecture, features] = architectureOf(fields);
  if (fields.boolean('use_sliding_window', false))
    throw unsupported('it asks for sliding-window attention', { field: 'use_sliding_window' });
  if (fields.boolean('attention_bias', false))
    throw unsupported('it has biases in attention', { field: 'attention_bias' });
  if ((fields.raw('quantization_config') ?? null) !== null)
    throw unsupported('its weights are quantised', { field: 'quantization_config' });
  const activation = fields.raw('hidden_act');
  if (activation !== 'silu') throw fields.error('hidden_act', '"silu"');

  const hiddenSize = fields.number('hidden_size', { min: 2, max: 65536, integer: true, multiple: 2 });
  const heads = fields.number('num_attention_heads', { min: 1, max: 1024, integer: true });
  const kvHeads = fields.number('num_key_value_heads', { min: 1, max: heads, integer: true });
  if (heads % kvHeads !== 0) throw fields.error('num_key_value_heads', `a divisor of num_attention_heads (${heads})`);
  return {
    architecture,
    layers: fields.number('num_hidden_layers', { min: 1, max: 1024, integer: true }),
    hiddenSize,
    intermediateSize: fields.number('intermediate_size', { min: 2, max: 1 << 20, integer: true, multiple: 2 }),
    heads,
    kvHeads,
    headDim: fields.number('head_dim', { min: 8, max: 256, integer: true, multiple: 8, fallback: features.headDim }),
    vocabSize: fields.number('vocab_size', { min: 1, max: 1 << 24, integer: true }),
    normEps: fields.number('rms_norm_eps', { min: 1e-12, max: 0.1 }),
    ropeTheta: ropeThetaOf(fields),
    qkNorm: features.qkNorm,
    qkvBias: features.qkvBias,
    tiedEmbeddings: fields.boolean('tie_word_embeddings', false),
    maxContext: fields.number('max_position_embeddings', { min: 1, max: 1 << 24, integer: true }),
    activation,
  };
}

/** The `config.json` that `parseModelConfig` reads back as `config`. */
export function modelConfigJson(config: ModelConfig): JsonObject {
  return {
    architectures: [config.architecture],
    model_type: 'qwen3',
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    vocab_size: config.vocabSize,
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    rope_scaling: null,
    max_position_embeddings: config.maxContext,
    hidden_act: config.activation,
    attention_bias: false,
    tie_word_embeddings: config.tiedEmbeddings,
  };
}
