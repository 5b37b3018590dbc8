/** What a decoder's layout alone says about its cost: parameters, KV elements, the ratio of query to KV heads. */
import type { ModelConfig } from '../checkpoint/config.ts';
import { type KvPrecision, kvHeadBytes } from '../kernels/precision.ts';

/** Experts of a mixture-of-experts decoder; every layer has them. */
export interface ExpertShape {
  readonly count: number;
  /** Experts that a token is sent to. */
  readonly active: number;
  readonly intermediateSize: number;
}

/** A decoder (RMSNorm, gated feed-forward, grouped-query attention) by its sizes, in elements. */
export interface ModelShape {
  readonly name: string;
  readonly layers: number;
  readonly hiddenSize: number;
  /** Of the dense feed-forward; unused where there are experts. */
  readonly intermediateSize: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly tiedEmbeddings: boolean;
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
  /** Longest sequence the model was made for, tokens. */
  readonly maxContext: number;
  readonly experts?: ExpertShape;
  /** P as the authors' scripts write it, where they or the digest of them name one. */
  readonly codeParameters?: number;
}

/** Numbers of parameters. */
export interface ParameterCounts {
  /** Stored: a tied head counts once. */
  readonly total: number;
  /** Of `total`, those that one token uses: all but the experts it is not sent to. */
  readonly active: number;
  /** `total` without the embedding and an untied head. */
  readonly nonEmbedding: number;
  /** Multiplied with a token's activations when its logits are wanted: `active` less the embedding, plus the head. */
  readonly perToken: number;
  /** The head alone. */
  readonly head: number;
  /** All experts of all layers; 0 in a dense model. */
  readonly experts: number;
}

export type { KvPrecision };
export type WeightPrecision = 'f32' | 'f16' | 'bf16' | 'int8' | 'int4';

/** Bytes a weight takes. int8 and int4 carry one f16 scale in 32 weights: 8.5 and 4.5 bits. */
export const WEIGHT_PRECISION_BYTES: Readonly<Record<WeightPrecision, number>> = {
  f32: 4,
  f16: 2,
  bf16: 2,
  int8: 8.5 / 8,
  int4: 4.5 / 8,
};

export const KV_PRECISIONS = ['f32', 'f16', 'int8'] as const satisfies readonly KvPrecision[];

/** The shape of a loaded model. */
export function shapeOf(config: ModelConfig, name = config.architecture): ModelShape {
  return {
    name,
    layers: config.layers,
    hiddenSize: config.hiddenSize,
    intermediateSize: config.intermediateSize,
    heads: config.heads,
    kvHeads: config.kvHeads,
    headDim: config.headDim,
    vocabSize: config.vocabSize,
    tiedEmbeddings: config.tiedEmbeddings,
    qkNorm: config.qkNorm,
    qkvBias: config.qkvBias,
    maxContext: config.maxContext,
    ...(config.moe
      ? {
          experts: {
            count: config.moe.experts,
            active: config.moe.expertsPerToken,
            intermediateSize: config.moe.intermediateSize,
          },
        }
      : {}),
  };
}

/** Counts every tensor of the layout. */
export function parameterCounts(shape: ModelShape): ParameterCounts {
  const { layers, hiddenSize, heads, kvHeads, headDim, vocabSize, experts } = shape;
  const projections = hiddenSize * headDim * (2 * heads + 2 * kvHeads);
  const biases = shape.qkvBias ? headDim * (heads + 2 * kvHeads) : 0;
  const norms = 2 * hiddenSize + (shape.qkNorm ? 2 * headDim : 0);
  const expert = experts ? 3 * hiddenSize * experts.intermediateSize : 0;
  const router = experts ? hiddenSize * experts.count : 0;
  const dense = experts ? router : 3 * hiddenSize * shape.intermediateSize;
  const layer = projections + biases + norms + dense;
  const head = vocabSize * hiddenSize;
  const embeddings = shape.tiedEmbeddings ? head : 2 * head;
  const all = expert * (experts?.count ?? 0) * layers;
  const sentTo = expert * (experts?.active ?? 0) * layers;
  const rest = layer * layers + hiddenSize;
  return {
    total: rest + all + embeddings,
    active: rest + sentTo + embeddings,
    nonEmbedding: rest + all,
    perToken: rest + sentTo + head,
    head,
    experts: all,
  };
}

/**
 * Parameters that one step reads for `lanes` tokens, the head included. In a mixture of experts this grows with the lanes: of E
 * experts, k a token, chosen evenly and independently, E·(1 − (1 − k/E)^lanes) different ones are expected.
 */
export function parametersRead(shape: ModelShape, lanes: number): number {
  const { nonEmbedding, head, experts: stored } = parameterCounts(shape);
  const { experts } = shape;
  if (!experts) return nonEmbedding + head;
  const touched = 1 - (1 - experts.active / experts.count) ** lanes;
  return nonEmbedding - stored + stored * touched + head;
}

/** D: key and value elements of one token over all layers (the paper's "KV size / token"). */
export function kvElements({ layers, kvHeads, headDim }: ModelShape): number {
  return 2 * layers * kvHeads * headDim;
}

/** r: query heads for each KV head. */
export function groupSize({ heads, kvHeads }: ModelShape): number {
  return heads / kvHeads;
}

/** Bytes a KV element takes; an int8 row of `headDim` elements carries one f32 scale. */
export function kvElementBytes({ headDim }: ModelShape, precision: KvPrecision): number {
  return kvHeadBytes(headDim, precision) / headDim;
}

/** Bytes of KV that one token takes over all layers. */
export function kvBytesPerToken(shape: ModelShape, precision: KvPrecision): number {
  return kvElements(shape) * kvElementBytes(shape, precision);
}

/** Bytes the stored weights take. */
export function weightBytes(shape: ModelShape, precision: WeightPrecision): number {
  return parameterCounts(shape).total * WEIGHT_PRECISION_BYTES[precision];
}

/**
 * Tokens of context at which a decode step reads as many bytes of KV as of weights, each of `lanes` lanes with a context of
 * its own. Beyond it attention is the larger part of the traffic.
 */
export function kvOvertakesWeights(
  shape: ModelShape,
  precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision },
  lanes = 1,
): number {
  const weights = parametersRead(shape, lanes) * WEIGHT_PRECISION_BYTES[precision.weights];
  return weights / (lanes * kvBytesPerToken(shape, precision.kv));
}
