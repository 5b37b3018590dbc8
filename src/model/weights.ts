/** A decoder's weights in GPU memory, and their way there from a stream of tensor chunks. */
import { type ModelConfig, promote, type WeightChunk } from '../checkpoint/index.ts';
import { ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import type { PackedMatrix, QuantizedFormat, WeightFormat } from '../kernels/matrix.ts';
import { WeightPacker } from '../kernels/pack.ts';
import type { Precision } from '../kernels/precision.ts';
import { WEIGHT_BYTES } from '../numbers.ts';
import { allocateWeights, type Destination, type WeightOptions } from './allocate.ts';

export type { WeightOptions } from './allocate.ts';

export type FeedForwardWeights =
  | {
      readonly kind: 'dense';
      /** Columns gate 0, up 0, gate 1, up 1, … */
      readonly gateUp: PackedMatrix;
      readonly down: PackedMatrix;
    }
  | {
      readonly kind: 'experts';
      readonly router: PackedMatrix;
      /** Expert beside expert: columns of each as above, padded. */
      readonly gateUp: PackedMatrix;
      readonly down: PackedMatrix;
    };

export interface LayerWeights {
  readonly inputNorm: GPUBuffer;
  /** Columns q | k | v. */
  readonly qkv: PackedMatrix;
  readonly qkvBias: GPUBuffer | null;
  /** Of q, then of k. */
  readonly qkNorm: GPUBuffer | null;
  readonly output: PackedMatrix;
  readonly postNorm: GPUBuffer;
  readonly feedForward: FeedForwardWeights;
}

export interface Weights {
  readonly embedding: PackedMatrix;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: GPUBuffer;
  /** The embedding itself where embeddings are tied. */
  readonly head: PackedMatrix;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Bytes handed to the GPU's queue before it is waited for. */
const MAX_QUEUED_BYTES = 64 * 2 ** 20;

/** Every matrix of a model. */
export function matricesOf({ embedding, layers, head }: Weights): PackedMatrix[] {
  const inLayers = layers.flatMap(({ qkv, output, feedForward }) => [
    qkv,
    output,
    ...(feedForward.kind === 'experts' ? [feedForward.router] : []),
    feedForward.gateUp,
    feedForward.down,
  ]);
  return [embedding, ...inLayers, ...(head === embedding ? [] : [head])];
}

/** A weight's type in GPU memory, by its bits. */
export type LoadedPrecision = Precision | 'int8' | 'int4';

/** What most weights are. */
export function precisionOf(weights: Weights): LoadedPrecision {
  const counts = new Map<LoadedPrecision, number>();
  for (const { format, inputs, outputs } of matricesOf(weights)) {
    const type = format.kind === 'float' ? format.precision : format.bits === 4 ? 'int4' : 'int8';
    counts.set(type, (counts.get(type) ?? 0) + inputs * outputs);
  }
  return [...counts].reduce((most, one) => (one[1] > most[1] ? one : most))[0];
}

/** Formats without repetitions. */
function distinct(formats: readonly WeightFormat[]): WeightFormat[] {
  return [...new Map(formats.map((format) => [JSON.stringify(format), format])).values()];
}

/**
 * Allocates the weights of a model and fills them from a stream of tensor chunks, converting on the GPU as they arrive.
 * @throws ReckonError `gpu-out-of-memory`, `limit-exceeded`, and whatever the stream throws; nothing is left allocated then.
 */
export async function uploadWeights(
  gpu: Gpu,
  config: ModelConfig,
  options: WeightOptions,
  chunks: AsyncIterable<WeightChunk>,
): Promise<Weights> {
  const { weights, destinations } = await gpu.guarded('the allocation of the weights', () =>
    allocateWeights(gpu, config, options),
  );
  const packer = await WeightPacker.create(gpu, distinct(matricesOf(weights).map(({ format }) => format)));
  let queued = 0;
  await gpu.guarded('the upload of the weights', async () => {
    for await (const chunk of chunks) {
      const place = destinations.get(chunk.name);
      if (!place) throw new ReckonError('internal', `There is no place for the tensor ${chunk.name}.`);
      queued += place.kind === 'matrix' ? putMatrix(packer, place, chunk) : putVector(packer, place, chunk);
      // Uploads are queued: waiting now and then keeps the queue, and host memory with it, bounded.
      if (queued >= MAX_QUEUED_BYTES) {
        await gpu.device.queue.onSubmittedWorkDone();
        queued = 0;
      }
    }
  });
  packer.dispose();
  return weights;
}

/** Writes a chunk; bytes queued. */
function putMatrix(packer: WeightPacker, place: Destination & { kind: 'matrix' }, chunk: WeightChunk): number {
  const { matrix, runs } = place;
  const { format } = matrix;
  if (chunk.kind === 'quantized' && format.kind === 'quantized') {
    const { firstRow, rows, codes, scales, biases } = promote(chunk, encodingOf(format));
    packer.writeCodes(matrix, runs, { firstRow, rows, codes, scales, biases });
    return codes.byteLength + scales.byteLength + (biases?.byteLength ?? 0);
  }
  // Codes among floats become floats.
  const floats = chunk.kind === 'quantized' ? promote(chunk, { kind: 'float', dtype: 'F32' }) : chunk;
  if (floats.kind !== 'float') throw new ReckonError('internal', `${chunk.name} did not become floats.`);
  const { dtype, bytes, start } = floats;
  packer.writeFloats(matrix, runs, { dtype, bytes, element: start / WEIGHT_BYTES[dtype] });
  return bytes.byteLength;
}

function putVector(packer: WeightPacker, place: Destination & { kind: 'vector' }, chunk: WeightChunk): number {
  if (chunk.kind !== 'float') throw new ReckonError('internal', `The vector ${chunk.name} came quantised.`);
  const { dtype, bytes, start } = chunk;
  packer.writeVector(place.buffer, place.runs, { dtype, bytes, element: start / WEIGHT_BYTES[dtype] });
  return bytes.byteLength;
}

/** A format that came from an encoding, as that encoding. */
function encodingOf(format: QuantizedFormat) {
  const { group, ...rest } = format;
  if (group !== 8 && group !== 16 && group !== 32) {
    throw new ReckonError('internal', `No checkpoint has groups of ${group}.`);
  }
  return { ...rest, group } as const;
}
