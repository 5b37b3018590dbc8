/**
 * A decoder of the Llama family (Llama, Qwen2, Qwen3, Qwen3-MoE, Phi-3) by its definition: float64, one token at a time, weights under their Hugging Face names.
 * Slow and plain on purpose; everything faster is held against it.
 */
import { attend } from './attention.ts';
import { attendedPositions, type ReferencePolicy } from './policies.ts';
import { type ReferenceRope, rotate } from './rope.ts';

export interface ReferenceConfig extends ReferenceRope {
  layers: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  vocabSize: number;
  normEps: number;
  /** RMSNorm of each query and key head before RoPE (Qwen3). */
  qkNorm: boolean;
  /** Biases on the query, key and value projections (Qwen2); default: none. */
  qkvBias?: boolean;
  /** Feed-forwards of experts (Qwen3-MoE), but in `denseLayers`. */
  moe?: {
    experts: number;
    expertsPerToken: number;
    intermediateSize: number;
    normTopkProb: boolean;
    denseLayers: readonly number[];
  } | null;
  /** The output head is the embedding table. */
  tiedEmbeddings: boolean;
  /** What the cache makes of a head's key or value, [headDim]. Default: keeps it. */
  stored?: (head: Float64Array) => Float64Array;
}

/** `shape` row-major; a linear layer is [outputs, inputs]. */
export interface ReferenceTensor {
  shape: number[];
  data: Float64Array;
}

export type ReferenceWeights = Map<string, ReferenceTensor>;

/** Keys and values of one layer: per position [kvHeads · headDim], never written again once stored. */
interface LayerCache {
  keys: Float64Array[];
  values: Float64Array[];
}

/** w · x of a matrix [rows, x.length]. */
function linear(weight: Float64Array, x: Float64Array): Float64Array {
  const columns = x.length;
  const out = new Float64Array(weight.length / columns);
  for (let row = 0; row < out.length; row++) {
    const base = row * columns;
    let sum = 0;
    for (let i = 0; i < columns; i++) sum += weight[base + i]! * x[i]!;
    out[row] = sum;
  }
  return out;
}

/** x / √(mean x² + ε) · weight. */
function rmsNorm(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
  let squares = 0;
  for (const value of x) squares += value * value;
  const factor = 1 / Math.sqrt(squares / x.length + eps);
  return x.map((value, i) => value * factor * weight[i]!);
}

const DENSE: ReferencePolicy = { kind: 'dense' };
const silu = (x: number) => x / (1 + Math.exp(-x));
const add = (a: Float64Array, b: Float64Array) => a.map((value, i) => value + b[i]!);

/** `change` of each head of x [heads · headDim]. */
function perHead(x: Float64Array, headDim: number, change: (head: Float64Array) => Float64Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += headDim) out.set(change(x.subarray(at, at + headDim)), at);
  return out;
}

export class ReferenceDecoder {
  readonly config: ReferenceConfig;
  readonly #weights: ReferenceWeights;

  /** @throws Error naming a tensor that is missing or not of the shape that `config` says. */
  constructor(config: ReferenceConfig, weights: ReferenceWeights) {
    this.config = config;
    this.#weights = weights;
    for (const [name, shape] of referenceShapes(config)) {
      const tensor = weights.get(name);
      if (!tensor) throw new Error(`${name} is missing`);
      const size = shape.reduce((a, b) => a * b, 1);
      if (tensor.shape.join() !== shape.join() || tensor.data.length !== size) {
        throw new Error(`${name} is [${tensor.shape}] with ${tensor.data.length} values, not [${shape}]`);
      }
    }
  }

  /** Logits [vocabSize] after each token. */
  logits(tokens: readonly number[]): Float64Array[] {
    const session = this.session();
    return tokens.map((token) => session.push(token));
  }

  /** What the output head reads, [hiddenSize] per token: the last layer's output after the final norm. */
  hidden(tokens: readonly number[]): Float64Array[] {
    const session = this.session();
    return tokens.map((token) => session.pushHidden(token));
  }

  /** An empty sequence to be read token by token. */
  session(): ReferenceSession {
    return new ReferenceSession(this);
  }

  weight(name: string): Float64Array {
    return this.#weights.get(name)!.data;
  }
}

/** A sequence and its keys and values. */
export class ReferenceSession {
  /** Told the query heads of each row, [heads · headDim], and the layer's keys up to its own. */
  observe: ((layer: number, query: Float64Array, keys: readonly Float64Array[]) => void) | null = null;
  readonly #decoder: ReferenceDecoder;
  #layers: LayerCache[];
  #length = 0;

  constructor(decoder: ReferenceDecoder) {
    this.#decoder = decoder;
    this.#layers = Array.from({ length: decoder.config.layers }, () => ({ keys: [], values: [] }));
  }

  /** Tokens read. */
  get length(): number {
    return this.#length;
  }

  /** Reads one token, attending as `policy` says, and returns the logits [vocabSize] after it. */
  push(token: number, policy: ReferencePolicy = DENSE): Float64Array {
    const head = this.#decoder.config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    return linear(this.#decoder.weight(head), this.pushHidden(token, policy));
  }

  /** Reads one token and returns what the output head would read, [hiddenSize]. */
  pushHidden(token: number, policy: ReferencePolicy = DENSE): Float64Array {
    const { hiddenSize, vocabSize, normEps } = this.#decoder.config;
    if (!(token >= 0 && token < vocabSize)) throw new Error(`${token} is not one of ${vocabSize} tokens`);
    const table = this.#decoder.weight('model.embed_tokens.weight');
    let x = table.slice(token * hiddenSize, (token + 1) * hiddenSize);
    for (let layer = 0; layer < this.#layers.length; layer++) {
      x = add(x, this.#attention(layer, x, policy));
      x = add(x, this.#feedForward(layer, x));
    }
    this.#length++;
    return rmsNorm(x, this.#decoder.weight('model.norm.weight'), normEps);
  }

  /** Forgets the tokens from `length` on. */
  truncate(length: number): void {
    if (length >= this.#length) return;
    this.#length = length;
    for (const { keys, values } of this.#layers) {
      keys.length = length;
      values.length = length;
    }
  }

  /** An independent copy. */
  clone(): ReferenceSession {
    const copy = new ReferenceSession(this.#decoder);
    copy.#length = this.#length;
    copy.#layers = this.#layers.map(({ keys, values }) => ({ keys: [...keys], values: [...values] }));
    return copy;
  }

  #attention(layer: number, input: Float64Array, policy: ReferencePolicy): Float64Array {
    const { config } = this.#decoder;
    const { headDim, normEps, qkNorm, qkvBias, stored = (head) => head } = config;
    const weight = (name: string) => this.#decoder.weight(`model.layers.${layer}.${name}.weight`);
    const x = rmsNorm(input, weight('input_layernorm'), normEps);
    const project = (name: string) => {
      const out = linear(weight(`self_attn.${name}`), x);
      return qkvBias ? add(out, this.#decoder.weight(`model.layers.${layer}.self_attn.${name}.bias`)) : out;
    };
    const place = (projection: string, norm: string) =>
      perHead(project(projection), headDim, (head) =>
        rotate(qkNorm ? rmsNorm(head, weight(`self_attn.${norm}`), normEps) : head, this.#length, config),
      );
    const query = place('q_proj', 'q_norm');
    const { keys, values } = this.#layers[layer]!;
    keys.push(perHead(place('k_proj', 'k_norm'), headDim, stored));
    values.push(perHead(project('v_proj'), headDim, stored));
    this.observe?.(layer, query, keys);
    const out = policy.kind === 'dense' ? attend(query, keys, values, config) : this.#sparse(layer, query, policy);
    return linear(weight('self_attn.o_proj'), out);
  }

  /** Attention where each KV head has positions of its own. */
  #sparse(layer: number, query: Float64Array, policy: ReferencePolicy): Float64Array {
    const { heads, kvHeads, headDim } = this.#decoder.config;
    const { keys, values } = this.#layers[layer]!;
    const group = heads / kvHeads;
    const out = new Float64Array(query.length);
    for (let kv = 0; kv < kvHeads; kv++) {
      const part = (vector: Float64Array, head: number) => vector.slice(head * headDim, (head + 1) * headDim);
      const own = keys.map((key) => part(key, kv));
      const queries = Array.from({ length: group }, (_, i) => [...part(query, kv * group + i)]);
      const positions = attendedPositions(
        policy,
        layer,
        queries,
        own.map((key) => [...key]),
      );
      const shape = { heads: group, kvHeads: 1, headDim };
      const flat = query.slice(kv * group * headDim, (kv + 1) * group * headDim);
      const attended = attend(
        flat,
        positions.map((position) => own[position]!),
        positions.map((position) => part(values[position]!, kv)),
        shape,
      );
      out.set(attended, kv * group * headDim);
    }
    return out;
  }

  #feedForward(layer: number, input: Float64Array): Float64Array {
    const { normEps, moe } = this.#decoder.config;
    const weight = (name: string) => this.#decoder.weight(`model.layers.${layer}.${name}.weight`);
    const x = rmsNorm(input, weight('post_attention_layernorm'), normEps);
    const swiglu = (place: string) => {
      const up = linear(weight(`${place}.up_proj`), x);
      const gated = linear(weight(`${place}.gate_proj`), x).map((gate, i) => silu(gate) * up[i]!);
      return linear(weight(`${place}.down_proj`), gated);
    };
    if (!moe || moe.denseLayers.includes(layer)) return swiglu('mlp');

    const logits = linear(weight('mlp.gate'), x);
    const greatest = Math.max(...logits);
    const exponentials = logits.map((logit) => Math.exp(logit - greatest));
    const total = exponentials.reduce((a, b) => a + b, 0);
    const chosen = Array.from(exponentials, (value, expert) => ({ expert, probability: value / total }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, moe.expertsPerToken);
    const kept = moe.normTopkProb ? chosen.reduce((sum, { probability }) => sum + probability, 0) : 1;
    let out = new Float64Array(x.length);
    for (const { expert, probability } of chosen) {
      const made = swiglu(`mlp.experts.${expert}`);
      out = out.map((value, i) => value + (probability / kept) * made[i]!);
    }
    return out;
  }
}

/** Every tensor a configuration needs, with its shape. */
export function referenceShapes(config: ReferenceConfig): Map<string, number[]> {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = config;
  const shapes = new Map<string, number[]>([
    ['model.embed_tokens.weight', [vocabSize, hiddenSize]],
    ['model.norm.weight', [hiddenSize]],
  ]);
  if (!config.tiedEmbeddings) shapes.set('lm_head.weight', [vocabSize, hiddenSize]);
  for (let layer = 0; layer < config.layers; layer++) {
    const set = (name: string, shape: number[]) => shapes.set(`model.layers.${layer}.${name}.weight`, shape);
    set('input_layernorm', [hiddenSize]);
    set('post_attention_layernorm', [hiddenSize]);
    set('self_attn.q_proj', [heads * headDim, hiddenSize]);
    set('self_attn.k_proj', [kvHeads * headDim, hiddenSize]);
    set('self_attn.v_proj', [kvHeads * headDim, hiddenSize]);
    set('self_attn.o_proj', [hiddenSize, heads * headDim]);
    if (config.qkNorm) {
      set('self_attn.q_norm', [headDim]);
      set('self_attn.k_norm', [headDim]);
    }
    if (config.qkvBias) {
      for (const [name, size] of [
        ['q', heads],
        ['k', kvHeads],
        ['v', kvHeads],
      ] as const)
        shapes.set(`model.layers.${layer}.self_attn.${name}_proj.bias`, [size * headDim]);
    }
    const swiglu = (place: string, size: number) => {
      set(`${place}.gate_proj`, [size, hiddenSize]);
      set(`${place}.up_proj`, [size, hiddenSize]);
      set(`${place}.down_proj`, [hiddenSize, size]);
    };
    const { moe } = config;
    if (!moe || moe.denseLayers.includes(layer)) swiglu('mlp', intermediateSize);
    else {
      set('mlp.gate', [moe.experts, hiddenSize]);
      for (let e = 0; e < moe.experts; e++) swiglu(`mlp.experts.${e}`, moe.intermediateSize);
    }
  }
  return shapes;
}
