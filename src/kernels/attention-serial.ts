/** Attention for drivers that run on the CPU: one thread a row and head. See shaders/attention/serial.wesl. */
import type { Gpu, Kernel } from '../gpu/index.ts';
import { Attention, type AttentionBuffers, type AttentionOptions } from './attention.ts';
import { checkAttentionShape, layerBuffer, shapeConstants } from './attention-shape.ts';
import { kvHeadBytes, type Precisions, precisionConditions } from './precision.ts';
import type { StepRecorder, StepShape } from './step.ts';

/** The width of such drivers' vectors. */
const THREADS = 4;

/** A layer's attention with its buffers. */
interface BoundOp {
  record(step: StepRecorder, shape: StepShape): void;
}

/** Either way of computing attention; both give the same bits. */
export interface AttentionKernels {
  bind(gpu: Gpu, buffers: AttentionBuffers): BoundOp;
  dispose(): void;
}

/**
 * The attention that suits the device, or the one asked for by `serial`.
 * @throws as `Attention.create`
 */
export function createAttention(
  gpu: Gpu,
  options: AttentionOptions,
  precisions: Precisions,
  serial = gpu.profile.tuning === 'cpu',
): Promise<AttentionKernels> {
  return serial ? SerialAttention.create(gpu, options, precisions) : Attention.create(gpu, options, precisions);
}

export class SerialAttention implements AttentionKernels {
  readonly #options: AttentionOptions;
  readonly #kernel: Kernel;
  /** Bytes of keys and values that a row reads for each token it attends to. */
  readonly #tokenBytes: number;

  private constructor(options: AttentionOptions, kernel: Kernel, tokenBytes: number) {
    this.#options = options;
    this.#kernel = kernel;
    this.#tokenBytes = tokenBytes;
  }

  /** @throws ReckonError `bad-option` for a shape the kernel cannot serve. */
  static async create(gpu: Gpu, options: AttentionOptions, precisions: Precisions): Promise<SerialAttention> {
    checkAttentionShape(options);
    const shape = shapeConstants(options);
    const kernel = await gpu.kernel({
      module: 'attention/serial',
      bindings: ['read', 'read', 'read', 'read', 'read', 'write', 'uniform', 'uniform'],
      constants: { ...shape, THREADS },
      conditions: precisionConditions(gpu, precisions),
    });
    return new SerialAttention(options, kernel, 2 * shape.KV_HEADS * kvHeadBytes(options.headDim, precisions.kv));
  }

  bind(gpu: Gpu, { q, keys, values, att, step, layer, part = 0 }: AttentionBuffers): BoundOp {
    const kernel = this.#kernel;
    const index = layerBuffer(gpu, this.#options, layer, part);
    const { heads, headDim, parts = 1 } = this.#options;
    const served = heads / parts;
    const bindings = gpu.bind(kernel, [step.pageLists, q, keys, values, step.lists, att, step.header, index]);
    const row = served * headDim;
    const kvToken = this.#tokenBytes;
    return {
      record(recorder, { rows, decodeTokens, sparse, prefillPairs }) {
        const dense = decodeTokens + prefillPairs;
        const attended = sparse.rows > 0 ? sparse.tokensAt(layer) + prefillPairs : dense;
        const ends = 2 * rows * row * 4;
        recorder.attend(
          kernel,
          bindings,
          [Math.ceil((rows * served) / THREADS)],
          4 * row * attended,
          kvToken * attended + ends,
          4 * row * dense,
          kvToken * dense + ends,
        );
      },
    };
  }

  /** Nothing is shared by the layers. */
  dispose(): void {}
}
