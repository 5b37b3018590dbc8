/** Matrices in GPU memory with known values, in every format: codes, scales and what they mean, by definition. */
import type { Gpu } from '../../../src/gpu/index.ts';
import {
  type ColumnRange,
  EIGHT_BIT,
  FOUR_BIT,
  type PackedMatrix,
  packedBytes,
  type QuantizedFormat,
  type WeightFormat,
} from '../../../src/kernels/matrix.ts';
import { WeightPacker } from '../../../src/kernels/pack.ts';
import { f16ToNumber, numberToF16 } from '../../../src/numbers.ts';
import { assert, download, nearestHalf, randoms } from './linear-support.ts';

export const F32: WeightFormat = { kind: 'float', precision: 'f32' };
export const F16: WeightFormat = { kind: 'float', precision: 'f16' };

/** Encodings as checkpoints bring them: MLC's 4-bit, Q8_0, Q6_K, Q4_K, MLX's, and groups of 8. */
export const QUANTIZED: readonly QuantizedFormat[] = [
  FOUR_BIT,
  { ...EIGHT_BIT, scale: 'f32' },
  { ...EIGHT_BIT, group: 16, scale: 'f16' },
  { ...FOUR_BIT, affine: true, zero: 0, scale: 'f32' },
  { ...EIGHT_BIT, affine: true, zero: 0 },
  { ...EIGHT_BIT, group: 8 },
];

/** Random codes and scales of [rows][K], and the numbers they stand for. */
export interface Coded {
  codes: Uint8Array<ArrayBuffer>;
  scales: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
  biases: Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer> | null;
  values: Float64Array;
}

export function randomCoded(random: () => number, format: QuantizedFormat, rows: number, inputs: number): Coded {
  const { bits, group, affine, zero, scale } = format;
  const raw = Uint8Array.from({ length: rows * inputs }, () => Math.floor(random() * 2 ** bits));
  const groups = (rows * inputs) / group;
  const numbers = (size: number) => {
    const plain = Float32Array.from({ length: groups }, () => (random() - 0.3) * size);
    return scale === 'f16' ? plain.map(nearestHalf) : plain;
  };
  const size = 2 / 2 ** bits;
  const scales = numbers(size);
  const biases = affine ? numbers(1) : null;
  const values = Float64Array.from(raw, (code, i) => {
    const at = Math.floor(i / group);
    return affine ? code * scales[at]! + biases![at]! : (code - zero) * scales[at]!;
  });
  const codes = bits === 8 ? raw : raw.subarray(0, raw.length / 2).map((_, i) => raw[2 * i]! + 16 * raw[2 * i + 1]!);
  const stored = (plain: Float32Array<ArrayBuffer>) => (scale === 'f16' ? Uint16Array.from(plain, numberToF16) : plain);
  return { codes, scales: stored(scales), biases: biases && stored(biases), values };
}

/** A matrix of random weights, [outputs][inputs] values beside it; divided as `parts` says. */
export async function storedMatrix(
  gpu: Gpu,
  shape: {
    inputs: number;
    outputs: number;
    format: WeightFormat;
    parts?: readonly ColumnRange[] | undefined;
    random: () => number;
  },
): Promise<{ matrix: PackedMatrix; values: Float64Array }> {
  const { inputs, outputs, format, random } = shape;
  const ranges = shape.parts ?? [{ first: 0, outputs }];
  const parts = ranges.map((range) => ({
    ...range,
    buffer: gpu.buffer('weights', packedBytes(inputs, range.outputs, format)),
  }));
  const matrix = { inputs, outputs, format, parts };
  const packer = await WeightPacker.create(gpu, [format], 4096);
  const runs = [{ row: 0, rows: outputs, column: 0, stride: 1 }];
  let values: Float64Array;
  if (format.kind === 'float') {
    const plain = randoms(random, outputs * inputs);
    packer.writeFloats(matrix, runs, { dtype: 'F32', element: 0, bytes: new Uint8Array(plain.buffer) });
    values = Float64Array.from(plain, (value) => (format.precision === 'f16' ? nearestHalf(value) : value));
  } else {
    const coded = randomCoded(random, format, outputs, inputs);
    packer.writeCodes(matrix, runs, { firstRow: 0, rows: outputs, ...coded });
    values = coded.values;
  }
  packer.dispose();
  return { matrix, values };
}

/** Codes, scales and biases of a quantised matrix in GPU memory, by the layout that shaders/lib/matrix.wesl describes. */
export async function readCodes(gpu: Gpu, matrix: PackedMatrix) {
  const { inputs: K, outputs, format, parts } = matrix;
  assert(format.kind === 'quantized', 'only codes are read here');
  const { bits, group, affine, scale } = format;
  const groups = K / group;
  const codes = new Uint8Array(outputs * K);
  const scales = new Float64Array(outputs * groups);
  const biases = new Float64Array(outputs * groups);
  for (const { first, outputs: columns, buffer } of parts) {
    const padded = Math.ceil(columns / 4) * 4;
    const view = new DataView(await download(gpu, buffer, packedBytes(K, columns, format)));
    const word = (row: number, column: number) => view.getUint32((row * padded + column) * 4, true);
    const real = (row: number, column: number) => view.getFloat32((row * padded + column) * 4, true);
    const half = (row: number, column: number, high: number) =>
      f16ToNumber((word(row, column) >>> (16 * high)) & 0xffff);
    const top = (K * bits) / 32;
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < K; k++) {
        const within = (k * bits) % 32;
        const code = (word(Math.floor((k * bits) / 32), column) >>> within) & (2 ** bits - 1);
        codes[(first + column) * K + k] = code;
      }
      for (let g = 0; g < groups; g++) {
        const at = (first + column) * groups + g;
        if (affine) {
          scales[at] = scale === 'f16' ? half(top + g, column, 0) : real(top + 2 * g, column);
          biases[at] = scale === 'f16' ? half(top + g, column, 1) : real(top + 2 * g + 1, column);
        } else scales[at] = scale === 'f16' ? half(top + (g >> 1), column, g & 1) : real(top + g, column);
      }
    }
  }
  const values = Float64Array.from(codes, (code, i) => {
    const at = Math.floor(i / group);
    return affine ? code * scales[at]! + biases[at]! : (code - format.zero) * scales[at]!;
  });
  return { codes, scales, biases, values };
}
