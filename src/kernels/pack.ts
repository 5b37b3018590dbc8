/** From the bytes of a checkpoint to matrices as the kernels read them: [K/4][Npad] vectors of four k. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { USAGE } from '../gpu/index.ts';
import { decodeWeights, WEIGHT_BYTES, type WeightDType } from '../numbers.ts';
import { BYTES, type Precision } from './precision.ts';

/** Columns of a packed matrix of `outputs` outputs: rounded up to a multiple of 4. */
export function packedColumns(outputs: number): number {
  return Math.ceil(outputs / 4) * 4;
}

/** Bytes of the packed matrix of an [outputs][inputs] tensor. */
export function packedBytes(inputs: number, outputs: number, precision: Precision): number {
  return inputs * packedColumns(outputs) * BYTES[precision];
}

/** A whole packed matrix: K and Npad. */
export interface PackedShape {
  inputs: number;
  columns: number;
}

/** Where a tensor's rows go, and where in the tensor the bytes begin. */
export interface PackSource {
  dtype: WeightDType;
  /** Column of the tensor's row 0. */
  firstColumn: number;
  /** Columns from one row to the next: 1, or 2 for gate and up interleaved. */
  columnStride: number;
  /** Elements before the bytes, row-major: even, also within a row. */
  elementOffset: number;
}

const DTYPES = Object.keys(WEIGHT_BYTES) as WeightDType[];
const WORKGROUP = 64;
const PARAMETER_WORDS = 8;

/**
 * Packs tensors on the GPU, chunk by chunk through one staging buffer. Chunks may come in any order and size; they are
 * queued at once, so the caller's bytes may be reused when `write` returns.
 *
 * Widening to f32 is exact; storing as f16 rounds to nearest even, saturates finite numbers at ±65504, keeps infinities.
 */
export class WeightPacker {
  readonly precision: Precision;
  readonly #gpu: Gpu;
  readonly #kernels: Readonly<Record<WeightDType, Kernel>>;
  readonly #staging: GPUBuffer;
  readonly #stagingBytes: number;
  readonly #parameters: GPUBuffer;
  readonly #words = new Uint32Array(PARAMETER_WORDS);
  readonly #bindings = new WeakMap<GPUBuffer, GPUBindGroup>();

  private constructor(
    gpu: Gpu,
    precision: Precision,
    kernels: Readonly<Record<WeightDType, Kernel>>,
    stagingBytes: number,
  ) {
    this.#gpu = gpu;
    this.precision = precision;
    this.#kernels = kernels;
    this.#stagingBytes = stagingBytes;
    this.#staging = gpu.buffer('weight staging', stagingBytes);
    this.#parameters = gpu.buffer('weight chunk', PARAMETER_WORDS * 4, USAGE.uniform);
  }

  /** `precision`: of the packed matrices. `stagingBytes`: most bytes of one dispatch, a multiple of 16. */
  static async create(gpu: Gpu, precision: Precision, stagingBytes = 4 * 2 ** 20): Promise<WeightPacker> {
    checkNumber('stagingBytes', stagingBytes, { min: 16, max: 16 * 2 ** 20, integer: true });
    const compiled = await Promise.all(
      DTYPES.map((dtype) =>
        gpu.kernel({
          module: 'weights/pack',
          bindings: ['uniform', 'read', 'write'],
          constants: {},
          conditions: {
            half_weights: precision === 'f16',
            source_f32: dtype === 'F32',
            source_f16: dtype === 'F16',
            source_bf16: dtype === 'BF16',
          },
        }),
      ),
    );
    const kernels = Object.fromEntries(DTYPES.map((dtype, i) => [dtype, compiled[i]])) as Record<WeightDType, Kernel>;
    return new WeightPacker(gpu, precision, kernels, stagingBytes - (stagingBytes % 16));
  }

  /**
   * Writes a run of a tensor's elements into its columns of a packed matrix.
   * @param bytes whole pairs of elements, little-endian
   * @throws ReckonError `bad-option` for bytes that split a pair or columns outside the matrix.
   */
  write(target: GPUBuffer, shape: PackedShape, source: PackSource, bytes: Uint8Array): void {
    const { inputs, columns } = shape;
    const size = WEIGHT_BYTES[source.dtype];
    const count = bytes.byteLength / size;
    if (inputs % 4 !== 0 || count % 2 !== 0 || source.elementOffset % 2 !== 0) {
      throw new ReckonError(
        'bad-option',
        `A chunk of ${bytes.byteLength} bytes from element ${source.elementOffset} of rows of ${inputs} does not hold whole pairs of ${source.dtype} numbers.`,
      );
    }
    if (count === 0) return;
    const lastRow = Math.floor((source.elementOffset + count - 1) / inputs);
    const lastColumn = source.firstColumn + lastRow * source.columnStride;
    if (source.elementOffset < 0 || source.firstColumn < 0 || source.columnStride < 1 || lastColumn >= columns) {
      throw new ReckonError(
        'bad-option',
        `Row ${lastRow} of a tensor would become column ${lastColumn} of ${columns}.`,
      );
    }
    for (let from = 0; from < bytes.byteLength; from += this.#stagingBytes) {
      const to = Math.min(bytes.byteLength, from + this.#stagingBytes);
      this.#chunk(target, shape, source, source.elementOffset + from / size, bytes.subarray(from, to));
    }
  }

  /** Writes a vector as f32, from element `elementOffset` of `target` on. */
  writeVector(target: GPUBuffer, dtype: WeightDType, bytes: Uint8Array, elementOffset = 0): void {
    const values = decodeWeights(bytes, dtype);
    this.#gpu.device.queue.writeBuffer(target, elementOffset * 4, values);
  }

  /** Frees the staging buffers; the packed matrices are the caller's. */
  dispose(): void {
    this.#gpu.free(this.#staging);
    this.#gpu.free(this.#parameters);
  }

  #chunk(target: GPUBuffer, shape: PackedShape, source: PackSource, element: number, bytes: Uint8Array): void {
    const { device } = this.#gpu;
    const kernel = this.#kernels[source.dtype];
    // Offsets into big matrices pass 2³² elements' worth of bytes, so the row is found here, in doubles.
    const row = Math.floor(element / shape.inputs);
    const pairs = bytes.byteLength / WEIGHT_BYTES[source.dtype] / 2;
    const first = source.firstColumn + row * source.columnStride;
    this.#words.set([shape.inputs, shape.columns, first, source.columnStride, element - row * shape.inputs, pairs]);
    device.queue.writeBuffer(this.#parameters, 0, this.#words);
    device.queue.writeBuffer(this.#staging, 0, bytes as Uint8Array<ArrayBuffer>);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, this.#bind(kernel, target));
    pass.dispatchWorkgroups(Math.ceil(pairs / WORKGROUP));
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  #bind(kernel: Kernel, target: GPUBuffer): GPUBindGroup {
    let group = this.#bindings.get(target);
    if (!group) {
      group = this.#gpu.bind(kernel, [this.#parameters, this.#staging, target]);
      this.#bindings.set(target, group);
    }
    return group;
  }
}
