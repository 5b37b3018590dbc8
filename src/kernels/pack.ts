/** From the bytes of a checkpoint to matrices as the kernels read them, on the GPU, chunk by chunk. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { USAGE } from '../gpu/index.ts';
import { decodeWeights, WEIGHT_BYTES, type WeightDType } from '../numbers.ts';
import { type CodedRows, scaleRows } from './coded-rows.ts';
import { columnWords, type PackedMatrix, packedColumns, type QuantizedFormat, type WeightFormat } from './matrix.ts';
import { checkRuns, clipColumns, clipRuns, type RowRun } from './row-runs.ts';

/** Numbers of a tensor, row-major, and where in it they begin. */
export interface FloatRun {
  readonly dtype: WeightDType;
  /** Elements before the bytes: even; for quantising, a whole number of pairs of groups within the row. */
  readonly element: number;
  /** Whole pairs of elements, little-endian. */
  readonly bytes: Uint8Array;
}

const WORKGROUP = 64;
const PARAMETER_WORDS = 8;
const DTYPES: readonly WeightDType[] = ['F32', 'F16', 'BF16'];

/**
 * Packs tensors on the GPU through one staging buffer. Chunks may come in any order and size; they are queued at once, so
 * the caller's bytes may be reused when a call returns.
 *
 * Floats widen to f32 exactly; as f16 they are rounded to nearest even, finite numbers saturate at ±65504, infinities
 * stay. Into a quantised matrix with f16 scales they are quantised; codes are moved as they are.
 */
export class WeightPacker {
  readonly #gpu: Gpu;
  readonly #staging: GPUBuffer;
  readonly #stagingBytes: number;
  readonly #parameters: GPUBuffer;
  readonly #words = new Uint32Array(PARAMETER_WORDS);
  readonly #bindings = new WeakMap<GPUBuffer, GPUBindGroup>();
  readonly #kernels = new Map<string, Kernel>();

  private constructor(gpu: Gpu, stagingBytes: number) {
    this.#gpu = gpu;
    this.#stagingBytes = stagingBytes;
    this.#staging = gpu.buffer('weight staging', stagingBytes);
    this.#parameters = gpu.buffer('weight chunk', PARAMETER_WORDS * 4, USAGE.uniform);
  }

  /**
   * Compiles what matrices of `formats` need.
   * @param stagingBytes Most bytes of one dispatch: a multiple of 16.
   */
  static async create(gpu: Gpu, formats: readonly WeightFormat[], stagingBytes = 4 * 2 ** 20): Promise<WeightPacker> {
    checkNumber('stagingBytes', stagingBytes, { min: 16, max: 16 * 2 ** 20, integer: true });
    const packer = new WeightPacker(gpu, stagingBytes - (stagingBytes % 16));
    await Promise.all(formats.map((format) => packer.#compile(format)));
    return packer;
  }

  /**
   * Writes a run of a tensor's numbers into its columns of a matrix.
   * @param runs Where the tensor's rows go.
   * @throws ReckonError `bad-option` for bytes that split a pair (or groups, where they are quantised) or columns outside the matrix.
   */
  writeFloats(matrix: PackedMatrix, runs: readonly RowRun[], { dtype, element, bytes }: FloatRun): void {
    const { inputs, format } = matrix;
    const size = WEIGHT_BYTES[dtype];
    // What lies together: a pair of numbers, or of groups.
    const unit = format.kind === 'float' ? 2 : 2 * format.group;
    const count = bytes.byteLength / size;
    const end = element + count;
    const whole = (at: number) => (at % inputs) % unit === 0;
    if (!Number.isInteger(count) || element < 0 || !whole(element) || !whole(end)) {
      const units = unit === 2 ? 'pairs' : `pairs of groups of ${unit / 2}`;
      throw new ReckonError(
        'bad-option',
        `A chunk of ${bytes.byteLength} bytes from element ${element} of rows of ${inputs} does not hold whole ${units} of ${dtype} numbers.`,
      );
    }
    if (count === 0) return;
    const touched = clipRuns(runs, Math.floor(element / inputs), Math.ceil(end / inputs));
    checkRuns(touched, packedColumns(matrix.outputs));
    const kernel = this.#kernel(`${formatKey(format)} ${dtype}`);
    this.#eachPart(matrix, touched, (part, run, NPAD) => {
      const from = Math.max(element, run.row * inputs);
      const to = Math.min(end, (run.row + run.rows) * inputs);
      for (const [at, next] of this.#pieces(from, to, { row: inputs, unit, bytes: size })) {
        // Offsets into big matrices pass 2³² elements' worth of bytes, so the row is found here, in doubles.
        const row = Math.floor(at / inputs);
        const column = run.column + (row - run.row) * run.stride;
        const within = at - row * inputs;
        const parameters =
          format.kind === 'float'
            ? [inputs, NPAD, column, run.stride, within, (next - at) / 2]
            : quantizeParameters(format, { inputs, NPAD, column, stride: run.stride, within, count: next - at });
        const threads = parameters[5]!;
        const piece = bytes.subarray((at - element) * size, (next - element) * size);
        this.#dispatch(kernel, part, parameters, piece, threads);
      }
    });
  }

  /**
   * Writes whole rows of codes and scales into their columns of a matrix of the same format.
   * @throws ReckonError `bad-option` for columns outside the matrix, `internal` for arrays of the wrong length.
   */
  writeCodes(matrix: PackedMatrix, runs: readonly RowRun[], chunk: CodedRows): void {
    const { inputs, format } = matrix;
    const { firstRow, rows } = chunk;
    if (format.kind !== 'quantized') throw new ReckonError('internal', 'Codes go into quantised matrices only.');
    const [codeWords, scaleWords] = columnWords(inputs, format);
    const groups = (rows * inputs) / format.group;
    const biased = chunk.biases?.length ?? 0;
    if (
      chunk.codes.length !== rows * codeWords * 4 ||
      chunk.scales.length !== groups ||
      biased !== (format.affine ? groups : 0)
    ) {
      throw new ReckonError('internal', `${rows} rows of codes do not come with their ${groups} scales.`);
    }
    const touched = clipRuns(runs, firstRow, firstRow + rows);
    checkRuns(touched, packedColumns(matrix.outputs));
    const kernel = this.#kernel('scatter');
    const scales = scaleRows(format, rows, chunk);
    this.#eachPart(matrix, touched, (part, run, NPAD) => {
      const put = (source: Uint8Array, words: number, base: number) => {
        const first = run.row - firstRow;
        for (const [at, next] of this.#pieces(first * words, (first + run.rows) * words, {
          row: words,
          unit: 1,
          bytes: 4,
        })) {
          const row = Math.floor(at / words);
          const column = run.column + (row - first) * run.stride;
          const parameters = [words, NPAD, column, run.stride, at - row * words, next - at, base];
          this.#dispatch(kernel, part, parameters, source.subarray(at * 4, next * 4), next - at);
        }
      };
      put(chunk.codes, codeWords, 0);
      put(new Uint8Array(scales.buffer), scaleWords, codeWords * NPAD);
    });
  }

  /** Writes a vector's numbers as f32. @param runs Where in `target` its elements go. */
  writeVector(target: GPUBuffer, runs: readonly RowRun[], { dtype, element, bytes }: FloatRun): void {
    const values = decodeWeights(bytes, dtype);
    for (const { row, rows, column, stride } of clipRuns(runs, element, element + values.length)) {
      if (stride !== 1) throw new ReckonError('internal', 'Elements of vectors stay side by side.');
      this.#gpu.device.queue.writeBuffer(target, column * 4, values, row - element, rows);
    }
  }

  /** Frees the staging buffers; the packed matrices are the caller's. */
  dispose(): void {
    this.#gpu.free(this.#staging);
    this.#gpu.free(this.#parameters);
  }

  /** Pieces of `from` … `to` that the staging buffer holds: whole rows where a row fits, whole units otherwise. */
  *#pieces(
    from: number,
    to: number,
    { row, unit, bytes }: { row: number; unit: number; bytes: number },
  ): Generator<[from: number, to: number]> {
    const room = Math.floor(this.#stagingBytes / bytes);
    const byRow = row <= room;
    if (room < unit) {
      throw new ReckonError('bad-option', `stagingBytes is ${this.#stagingBytes}; ${unit * bytes} lie together here.`);
    }
    for (let at = from; at < to; ) {
      const rowEnd = at - (at % row) + row;
      const most = byRow ? at - (at % row) + Math.floor(room / row) * row : Math.min(rowEnd, at + room - (room % unit));
      const next = Math.min(to, most);
      yield [at, next];
      at = next;
    }
  }

  /** Each part of the matrix that `runs` meet, with what of them falls there and the part's padded columns. */
  #eachPart(
    matrix: PackedMatrix,
    runs: readonly RowRun[],
    work: (part: GPUBuffer, run: RowRun, NPAD: number) => void,
  ): void {
    for (const { buffer, first, outputs } of matrix.parts) {
      const columns = packedColumns(outputs);
      for (const run of runs) {
        const here = clipColumns(run, first, columns);
        if (here) work(buffer, here, columns);
      }
    }
  }

  #dispatch(
    kernel: Kernel,
    target: GPUBuffer,
    parameters: readonly number[],
    bytes: Uint8Array,
    threads: number,
  ): void {
    const { device } = this.#gpu;
    this.#words.fill(0);
    this.#words.set(parameters);
    device.queue.writeBuffer(this.#parameters, 0, this.#words);
    device.queue.writeBuffer(this.#staging, 0, bytes as Uint8Array<ArrayBuffer>);
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(kernel.pipeline);
    pass.setBindGroup(0, this.#bind(kernel, target));
    pass.dispatchWorkgroups(Math.ceil(threads / WORKGROUP));
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

  #kernel(key: string): Kernel {
    const kernel = this.#kernels.get(key);
    if (!kernel) throw new ReckonError('internal', `This packer was not made for ${key}.`);
    return kernel;
  }

  async #compile(format: WeightFormat): Promise<void> {
    const compile = async (key: string, module: string, constants = {}, conditions = {}) => {
      const kernel = await this.#gpu.kernel({ module, bindings: ['uniform', 'read', 'write'], constants, conditions });
      this.#kernels.set(key, kernel);
    };
    const ofDType = (dtype: WeightDType) => ({
      source_f32: dtype === 'F32',
      source_f16: dtype === 'F16',
      source_bf16: dtype === 'BF16',
    });
    const key = formatKey(format);
    if (format.kind === 'float') {
      const half = { half_weights: format.precision === 'f16' };
      await Promise.all(
        DTYPES.map((dtype) => compile(`${key} ${dtype}`, 'weights/pack', {}, { ...half, ...ofDType(dtype) })),
      );
      return;
    }
    await compile('scatter', 'weights/scatter');
    if (!canQuantize(format)) return;
    const levels = Math.min(format.zero, 2 ** format.bits - 1 - format.zero);
    const constants = { GROUP: format.group, LEVELS: levels, ZERO: format.zero };
    const bits4 = format.bits === 4;
    await Promise.all(
      DTYPES.map((dtype) => compile(`${key} ${dtype}`, 'weights/quantize', constants, { bits4, ...ofDType(dtype) })),
    );
  }
}

/** Floats are quantised into symmetric formats with f16 scales. */
function canQuantize({ affine, scale }: QuantizedFormat): boolean {
  return !affine && scale === 'f16';
}

function formatKey(format: WeightFormat): string {
  if (format.kind === 'float') return format.precision;
  const { bits, group, zero, affine, scale } = format;
  return `${bits} bits, group ${group}, zero ${zero}, ${affine ? 'affine' : 'symmetric'}, ${scale}`;
}

function quantizeParameters(
  format: QuantizedFormat,
  at: { inputs: number; NPAD: number; column: number; stride: number; within: number; count: number },
): number[] {
  const pair = 2 * format.group;
  const rowUnits = Math.ceil(at.inputs / pair);
  const rows = Math.floor((at.within + at.count) / at.inputs);
  const units = rows * rowUnits + Math.ceil((at.within + at.count - rows * at.inputs) / pair) - at.within / pair;
  const [codeWords] = columnWords(at.inputs, format);
  return [at.inputs, at.NPAD, at.column, at.stride, at.within / pair, units, rowUnits, codeWords * at.NPAD];
}
