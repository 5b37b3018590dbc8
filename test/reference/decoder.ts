/**
 * A Qwen3-style decoder by its definition: float64, one token at a time, weights under their Hugging Face names.
 * Slow and plain on purpose; everything faster is held against it.
 */
import { attend } from './attention.ts';

export interface ReferenceConfig {
  layers: number;
  hiddenSize: number;
  intermediateSize: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabSize: number;
  normEps: number;
  ropeTheta: number;
  /** RMSNorm of each query and key head before RoPE (Qwen3). */
  qkNorm: boolean;
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

/** Rotates the pairs (i, i + d/2) of one head by position · θ^(−2i/d). */
function rope(x: Float64Array, position: number, theta: number): Float64Array {
  const half = x.length / 2;
  const out = new Float64Array(x.length);
  for (let i = 0; i < half; i++) {
    const angle = position * theta ** (-i / half);
    const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
    out[i] = x[i]! * cos - x[i + half]! * sin;
    out[i + half] = x[i + half]! * cos + x[i]! * sin;
  }
  return out;
}

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

  /** Reads one token and returns the logits [vocabSize] after it. */
  push(token: number): Float64Array {
    const head = this.#decoder.config.tiedEmbeddings ? 'model.embed_tokens.weight' : 'lm_head.weight';
    return linear(this.#decoder.weight(head), this.pushHidden(token));
  }

  /** Reads one token and returns what the output head would read, [hiddenSize]. */
  pushHidden(token: number): Float64Array {
    const { hiddenSize, vocabSize, normEps } = this.#decoder.config;
    if (!(token >= 0 && token < vocabSize)) throw new Error(`${token} is not one of ${vocabSize} tokens`);
    const table = this.#decoder.weight('model.embed_tokens.weight');
    let x = table.slice(token * hiddenSize, (token + 1) * hiddenSize);
    for (let layer = 0; layer < this.#layers.length; layer++) {
      x = add(x, this.#attention(layer, x));
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

  #attention(layer: number, input: Float64Array): Float64Array {
    const { config } = this.#decoder;
    const { headDim, normEps, qkNorm, ropeTheta, stored = (head) => head } = config;
    const weight = (name: string) => this.#decoder.weight(`model.layers.${layer}.${name}.weight`);
    const x = rmsNorm(input, weight('input_layernorm'), normEps);
    const place = (projection: string, norm: string) =>
      perHead(linear(weight(projection), x), headDim, (head) =>
        rope(qkNorm ? rmsNorm(head, weight(norm), normEps) : head, this.#length, ropeTheta),
      );
    const query = place('self_attn.q_proj', 'self_attn.q_norm');
    const { keys, values } = this.#layers[layer]!;
    keys.push(perHead(place('self_attn.k_proj', 'self_attn.k_norm'), headDim, stored));
    values.push(perHead(linear(weight('self_attn.v_proj'), x), headDim, stored));
    return linear(weight('self_attn.o_proj'), attend(query, keys, values, config));
  }

  #feedForward(layer: number, input: Float64Array): Float64Array {
    const weight = (name: string) => this.#decoder.weight(`model.layers.${layer}.${name}.weight`);
    const x = rmsNorm(input, weight('post_attention_layernorm'), this.#decoder.config.normEps);
    const up = linear(weight('mlp.up_proj'), x);
    const gated = linear(weight('mlp.gate_proj'), x).map((gate, i) => silu(gate) * up[i]!);
    return linear(weight('mlp.down_proj'), gated);
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
    set('mlp.gate_proj', [intermediateSize, hiddenSize]);
    set('mlp.up_proj', [intermediateSize, hiddenSize]);
    set('mlp.down_proj', [hiddenSize, intermediateSize]);
  }
  return shapes;
}
