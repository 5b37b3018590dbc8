/** Room for a decoder's weights in GPU memory: each matrix in its format, and where each tensor of a checkpoint goes. */
import { commonEncoding, isMoeLayer, type MatrixEncoding, type ModelConfig } from '../checkpoint/index.ts';
import type { Gpu } from '../gpu/index.ts';
import { expertColumns } from '../kernels/experts.ts';
import {
  allocateMatrix,
  EIGHT_BIT,
  FOUR_BIT,
  fitsFormat,
  type PackedMatrix,
  packedBytes,
  type WeightFormat,
} from '../kernels/matrix.ts';
import type { Precision } from '../kernels/precision.ts';
import type { RowRun } from '../kernels/row-runs.ts';
import type { FeedForwardWeights, LayerWeights, Weights } from './weights.ts';

/** How weights are to lie in GPU memory. */
export interface WeightOptions {
  /** Of matrices that are floats. */
  readonly precision: Precision;
  /** Quantises matrices that the checkpoint has as floats; but routers, and rows that are not whole groups of 32. */
  readonly quantize?: '4bit' | '8bit' | null;
  /** How the checkpoint's matrices are written, by tensor; those not named are floats. */
  readonly encodings?: ReadonlyMap<string, MatrixEncoding>;
  /** Most bytes of a matrix in one buffer, larger ones are divided; default: what the device binds. */
  readonly maxPartBytes?: number;
}

/** A place for a tensor: columns of a packed matrix, or part of a vector. */
export type Destination =
  | { readonly kind: 'matrix'; readonly matrix: PackedMatrix; readonly runs: readonly RowRun[] }
  | { readonly kind: 'vector'; readonly buffer: GPUBuffer; readonly runs: readonly RowRun[] };

/** A tensor, without ".weight", and the columns its rows become. */
interface Member {
  readonly name: string;
  readonly runs: readonly RowRun[];
}

const QUANTIZED = { '4bit': FOUR_BIT, '8bit': EIGHT_BIT } as const;

/** The format of a matrix that tensors of those names, without ".weight", are put together in. */
export function formatOf(options: WeightOptions, inputs: number, names: readonly string[]): WeightFormat {
  const { precision, quantize, encodings } = options;
  const floats: WeightFormat = { kind: 'float', precision };
  const found = names.map((name) => encodings?.get(`${name}.weight`));
  const known = found.map((encoding): MatrixEncoding => encoding ?? { kind: 'float', dtype: 'F32' });
  if (known.every(({ kind }) => kind === 'float')) {
    const wanted = quantize ? QUANTIZED[quantize] : null;
    return wanted && fitsFormat(inputs, wanted) ? wanted : floats;
  }
  const common = commonEncoding(known);
  return common.kind === 'float' ? floats : common;
}

/** Which experts are chosen hangs on little: routers are never quantised here, and stay f32 where the checkpoint has them so. */
function routerOptions(options: WeightOptions, names: readonly string[]): WeightOptions {
  const wide = names.some((name) => {
    const encoding = options.encodings?.get(`${name}.weight`);
    return encoding?.kind === 'float' && encoding.dtype === 'F32';
  });
  return { ...options, quantize: null, ...(wide ? { precision: 'f32' } : {}) };
}

/** Rows in their order, from column `column` on. */
const along = (rows: number, column = 0, stride = 1): RowRun[] => [{ row: 0, rows, column, stride }];

/**
 * Rows of query or key heads. Kernels rotate the pairs (i, i + headDim/2); where only the first `rotaryDim` elements of a head are
 * rotated, in pairs (i, i + rotaryDim/2), the elements are put in another order, the same for queries and keys, whose products
 * it does not change: rotated pairs first in each half, those that stay behind them.
 */
export function headRuns(heads: number, headDim: number, rotaryDim: number, column = 0): RowRun[] {
  if (rotaryDim === headDim) return along(heads * headDim, column);
  const turned = rotaryDim / 2;
  const half = headDim / 2;
  const still = half - turned;
  return Array.from({ length: heads }, (_, head) => head * headDim).flatMap((at) =>
    [
      { from: 0, rows: turned, to: 0 },
      { from: turned, rows: turned, to: half },
      { from: rotaryDim, rows: still, to: turned },
      { from: rotaryDim + still, rows: still, to: half + turned },
    ].map(({ from, rows, to }) => ({ row: at + from, rows, column: column + at + to, stride: 1 })),
  );
}

/**
 * Allocates the weights and says where each tensor goes, by its Hugging Face name.
 * @throws ReckonError `limit-exceeded`
 */
export function allocateWeights(
  gpu: Gpu,
  config: ModelConfig,
  options: WeightOptions,
): { weights: Weights; destinations: ReadonlyMap<string, Destination> } {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, rotaryDim, vocabSize, moe } = config;
  const queries = heads * headDim;
  const keys = kvHeads * headDim;
  const destinations = new Map<string, Destination>();
  let bytes = 0;

  const matrix = (
    label: string,
    { inputs, outputs, unit, router = false }: { inputs: number; outputs: number; unit?: number; router?: boolean },
    members: readonly Member[],
  ): PackedMatrix => {
    const names = members.map(({ name }) => name);
    const format = formatOf(router ? routerOptions(options, names) : options, inputs, names);
    const packed = allocateMatrix(gpu, label, { inputs, outputs, format }, { unit, maxBytes: options.maxPartBytes });
    for (const part of packed.parts) bytes += packedBytes(inputs, part.outputs, format);
    for (const { name, runs } of members) destinations.set(`${name}.weight`, { kind: 'matrix', matrix: packed, runs });
    return packed;
  };
  const vector = (label: string, length: number, members: readonly Member[]): GPUBuffer => {
    bytes += length * 4;
    const buffer = gpu.buffer(label, length * 4);
    for (const { name, runs } of members) destinations.set(name, { kind: 'vector', buffer, runs });
    return buffer;
  };
  const norm = (name: string, length = hiddenSize, runs = along(length)) =>
    vector(name, length, [{ name: `${name}.weight`, runs }]);

  /** The parts of the fused q | k | v, as matrices or as biases. */
  const qkv = (name: (projection: string) => string): Member[] => [
    { name: name('q_proj'), runs: headRuns(heads, headDim, rotaryDim) },
    { name: name('k_proj'), runs: headRuns(kvHeads, headDim, rotaryDim, queries) },
    { name: name('v_proj'), runs: along(keys, queries + keys) },
  ];
  /** Gate and up, column beside column. */
  const gateUp = (place: string, size: number, column = 0): Member[] => [
    { name: `${place}.gate_proj`, runs: along(size, column, 2) },
    { name: `${place}.up_proj`, runs: along(size, column + 1, 2) },
  ];

  const dense = (mlp: string): FeedForwardWeights => ({
    kind: 'dense',
    gateUp: matrix(
      `${mlp} gate and up`,
      { inputs: hiddenSize, outputs: 2 * intermediateSize },
      gateUp(mlp, intermediateSize),
    ),
    down: matrix(`${mlp} down`, { inputs: intermediateSize, outputs: hiddenSize }, [
      { name: `${mlp}.down_proj`, runs: along(hiddenSize) },
    ]),
  });
  const experts = (mlp: string, { experts: count, intermediateSize: size }: NonNullable<ModelConfig['moe']>) => {
    const each = <T>(make: (place: string, expert: number) => T): T[] =>
      Array.from({ length: count }, (_, expert) => make(`${mlp}.experts.${expert}`, expert));
    const [wide, narrow] = [expertColumns(2 * size), expertColumns(hiddenSize)];
    return {
      kind: 'experts' as const,
      router: matrix(`${mlp} router`, { inputs: hiddenSize, outputs: count, router: true }, [
        { name: `${mlp}.gate`, runs: along(count) },
      ]),
      gateUp: matrix(
        `${mlp} experts' gate and up`,
        { inputs: hiddenSize, outputs: count * wide, unit: wide },
        each((place, expert) => gateUp(place, size, expert * wide)).flat(),
      ),
      down: matrix(
        `${mlp} experts' down`,
        { inputs: size, outputs: count * narrow, unit: narrow },
        each((place, expert) => ({ name: `${place}.down_proj`, runs: along(hiddenSize, expert * narrow) })),
      ),
    };
  };

  const embedding = matrix('embedding', { inputs: hiddenSize, outputs: vocabSize }, [
    { name: 'model.embed_tokens', runs: along(vocabSize) },
  ]);
  const layers = Array.from({ length: config.layers }, (_, layer): LayerWeights => {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    const attention = (projection: string) => at(`self_attn.${projection}`);
    const headNorm = (name: string, at: number): Member => ({
      name: `${attention(name)}.weight`,
      runs: headRuns(1, headDim, rotaryDim, at),
    });
    const width = queries + 2 * keys;
    return {
      inputNorm: norm(at('input_layernorm')),
      qkv: matrix(at('qkv'), { inputs: hiddenSize, outputs: width }, qkv(attention)),
      qkvBias: config.qkvBias
        ? vector(
            at('qkv bias'),
            width,
            qkv((name) => `${attention(name)}.bias`),
          )
        : null,
      qkNorm: config.qkNorm
        ? vector(at('query and key norm'), 2 * headDim, [headNorm('q_norm', 0), headNorm('k_norm', headDim)])
        : null,
      output: matrix(at('output'), { inputs: queries, outputs: hiddenSize }, [
        { name: attention('o_proj'), runs: along(hiddenSize) },
      ]),
      postNorm: norm(at('post_attention_layernorm')),
      feedForward: moe && isMoeLayer(config, layer) ? experts(at('mlp'), moe) : dense(at('mlp')),
    };
  });
  const finalNorm = norm('model.norm');
  const head = config.tiedEmbeddings
    ? embedding
    : matrix('head', { inputs: hiddenSize, outputs: vocabSize }, [{ name: 'lm_head', runs: along(vocabSize) }]);
  return { weights: { embedding, layers, finalNorm, head, bytes }, destinations };
}
