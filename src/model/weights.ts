/** A decoder's weights in GPU memory, and where each tensor of a checkpoint goes. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { WeightChunk } from '../checkpoint/quantized.ts';
import { ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';
import { packedBytes, packedColumns, WeightPacker } from '../kernels/pack.ts';
import type { Precision } from '../kernels/precision.ts';

export interface LayerWeights {
  readonly inputNorm: GPUBuffer;
  /** Columns q | k | v. */
  readonly qkv: GPUBuffer;
  readonly qkvBias: GPUBuffer | null;
  /** Of q, then of k. */
  readonly qkNorm: GPUBuffer | null;
  readonly output: GPUBuffer;
  readonly postNorm: GPUBuffer;
  /** Columns gate 0, up 0, gate 1, up 1, … */
  readonly gateUp: GPUBuffer;
  readonly down: GPUBuffer;
}

export interface Weights {
  readonly embedding: GPUBuffer;
  readonly layers: readonly LayerWeights[];
  readonly finalNorm: GPUBuffer;
  /** The embedding itself where embeddings are tied. */
  readonly head: GPUBuffer;
  /** Bytes of all of them. */
  readonly bytes: number;
}

/** Bytes handed to the GPU's queue before it is waited for. */
const MAX_QUEUED_BYTES = 64 * 2 ** 20;

/** A place for a tensor: columns of a packed matrix, or part of a vector. */
type Destination =
  | { kind: 'matrix'; buffer: GPUBuffer; inputs: number; columns: number; first: number; stride: number }
  | { kind: 'vector'; buffer: GPUBuffer; first: number };

/** Allocates the weights and says where each tensor goes, by its Hugging Face name. */
export function allocateWeights(
  gpu: Gpu,
  config: ModelConfig,
  precision: Precision,
): { weights: Weights; destinations: ReadonlyMap<string, Destination> } {
  const { hiddenSize, intermediateSize, headDim, vocabSize } = config;
  const queries = config.heads * headDim;
  const keys = config.kvHeads * headDim;
  const destinations = new Map<string, Destination>();
  let bytes = 0;

  const matrix = (label: string, inputs: number, outputs: number) => {
    const size = packedBytes(inputs, outputs, precision);
    bytes += size;
    const buffer = gpu.buffer(label, size);
    const columns = packedColumns(outputs);
    return {
      buffer,
      takes(name: string, first = 0, stride = 1) {
        destinations.set(`${name}.weight`, { kind: 'matrix', buffer, inputs, columns, first, stride });
        return this;
      },
    };
  };
  const vector = (label: string, length: number, ...parts: [name: string, first: number][]) => {
    bytes += length * 4;
    const buffer = gpu.buffer(label, length * 4);
    for (const [name, first] of parts) destinations.set(name, { kind: 'vector', buffer, first });
    return buffer;
  };

  const embedding = matrix('embedding', hiddenSize, vocabSize).takes('model.embed_tokens').buffer;
  const layers = Array.from({ length: config.layers }, (_, layer): LayerWeights => {
    const at = (name: string) => `model.layers.${layer}.${name}`;
    return {
      inputNorm: vector(at('input norm'), hiddenSize, [at('input_layernorm.weight'), 0]),
      qkv: matrix(at('qkv'), hiddenSize, queries + 2 * keys)
        .takes(at('self_attn.q_proj'))
        .takes(at('self_attn.k_proj'), queries)
        .takes(at('self_attn.v_proj'), queries + keys).buffer,
      qkvBias: config.qkvBias
        ? vector(
            at('qkv bias'),
            queries + 2 * keys,
            [at('self_attn.q_proj.bias'), 0],
            [at('self_attn.k_proj.bias'), queries],
            [at('self_attn.v_proj.bias'), queries + keys],
          )
        : null,
      qkNorm: config.qkNorm
        ? vector(
            at('query and key norm'),
            2 * headDim,
            [at('self_attn.q_norm.weight'), 0],
            [at('self_attn.k_norm.weight'), headDim],
          )
        : null,
      output: matrix(at('output'), queries, hiddenSize).takes(at('self_attn.o_proj')).buffer,
      postNorm: vector(at('post norm'), hiddenSize, [at('post_attention_layernorm.weight'), 0]),
      gateUp: matrix(at('gate and up'), hiddenSize, 2 * intermediateSize)
        .takes(at('mlp.gate_proj'), 0, 2)
        .takes(at('mlp.up_proj'), 1, 2).buffer,
      down: matrix(at('down'), intermediateSize, hiddenSize).takes(at('mlp.down_proj')).buffer,
    };
  });
  const finalNorm = vector('final norm', hiddenSize, ['model.norm.weight', 0]);
  const head = config.tiedEmbeddings ? embedding : matrix('head', hiddenSize, vocabSize).takes('lm_head').buffer;
  return { weights: { embedding, layers, finalNorm, head, bytes }, destinations };
}

/**
 * Allocates the weights of a model and fills them from a stream of tensor chunks, converting on the GPU as they arrive.
 * @throws ReckonError `gpu-out-of-memory`, `limit-exceeded`, and whatever the stream throws; nothing is left allocated then.
 */
export async function uploadWeights(
  gpu: Gpu,
  config: ModelConfig,
  precision: Precision,
  chunks: AsyncIterable<WeightChunk>,
): Promise<Weights> {
  const { weights, destinations } = await gpu.guarded('the allocation of the weights', () =>
    allocateWeights(gpu, config, precision),
  );
  const packer = await WeightPacker.create(gpu, precision);
  let queued = 0;
  await gpu.guarded('the upload of the weights', async () => {
    for await (const chunk of chunks) {
      const place = destinations.get(chunk.name);
      if (!place) throw new ReckonError('internal', `There is no place for the tensor ${chunk.name}.`);
      if (chunk.kind === 'quantized') {
        throw new ReckonError('bad-checkpoint', `The weights ${chunk.name} are quantised, which is not supported yet.`);
      }
      const offset = chunk.start / (chunk.dtype === 'F32' ? 4 : 2);
      if (place.kind === 'vector') packer.writeVector(place.buffer, chunk.dtype, chunk.bytes, place.first + offset);
      else {
        packer.write(
          place.buffer,
          { inputs: place.inputs, columns: place.columns },
          { dtype: chunk.dtype, firstColumn: place.first, columnStride: place.stride, elementOffset: offset },
          chunk.bytes,
        );
      }
      // Uploads are queued: waiting now and then keeps the queue, and host memory with it, bounded.
      queued += chunk.bytes.byteLength;
      if (queued >= MAX_QUEUED_BYTES) {
        await gpu.device.queue.onSubmittedWorkDone();
        queued = 0;
      }
    }
  });
  packer.dispose();
  return weights;
}
