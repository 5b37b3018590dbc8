/** Checks of the weight packer on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { EIGHT_BIT, FOUR_BIT, packedBytes, packedColumns, type QuantizedFormat } from '../../../src/kernels/matrix.ts';
import { WeightPacker } from '../../../src/kernels/pack.ts';
import type { Precision } from '../../../src/kernels/precision.ts';
import { bf16ToNumber, numberToBf16, numberToF16, type WeightDType } from '../../../src/numbers.ts';
import { assert, download, nearestHalf, randoms, seeded, upload } from './linear-support.ts';
import { QUANTIZED, randomCoded, readCodes } from './matrix-support.ts';

const SIZE: Record<WeightDType, number> = { F32: 4, F16: 2, BF16: 2 };

/** f32 bit patterns at the edges of both half formats: ties, subnormals, overflow, signed zeros. */
const EDGES = [
  0, 0x80000000, 0x3f800000, 0x3f801000, 0x3f803000, 0x3f801001, 0x3f800fff, 0x477fe000, 0x477fefff, 0x477ff000,
  0xc77ff000, 0x7f7fffff, 0xff7fffff, 0x38800000, 0x387fffff, 0x387fe000, 0x33800000, 0x33000000, 0x33000001,
  0x32ffffff, 0x33c00000, 0xb3c00001, 0x34200000, 0x00000001, 0x80400000, 0x7f800000, 0xff800000, 0x35a00000,
  0x37ffe000, 0x37fff000,
];

/** A tensor's bytes, and the numbers they stand for. */
interface Tensor {
  bytes: Uint8Array;
  values: Float64Array;
}

function value16(half: number): number {
  const exponent = (half >> 10) & 31;
  const fraction = (half & 1023) / 1024;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 31) return sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15));
}

function tensor(dtype: WeightDType, count: number, random: () => number): Tensor {
  const bytes = new Uint8Array(count * SIZE[dtype]);
  const view = new DataView(bytes.buffer);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    if (dtype === 'F32') {
      const plain = Math.fround((random() * 2 - 1) * 2 ** Math.floor(random() * 40 - 26));
      view.setFloat32(i * 4, plain, true);
      if (i < EDGES.length) view.setUint32(i * 4, EDGES[i]!, true);
      values[i] = view.getFloat32(i * 4, true);
    } else {
      let bits = Math.floor(random() * 65536);
      // Every subnormal size and both infinities for F16; NaN has many bit patterns and is left out.
      if (dtype === 'F16')
        bits = i < 22 ? (1 << (i % 11)) | ((i & 1) << 15) : i === 22 ? 0x7c00 : i === 23 ? 0xfc00 : bits;
      const isNaNPattern = dtype === 'F16' ? (bits & 0x7c00) === 0x7c00 && i > 23 : (bits & 0x7f80) === 0x7f80;
      if (isNaNPattern) bits &= 0x8fff;
      view.setUint16(i * 2, bits, true);
      if (dtype === 'F16') values[i] = value16(bits);
      else {
        const wide = new DataView(new ArrayBuffer(4));
        wide.setUint32(0, bits << 16);
        values[i] = wide.getFloat32(0);
      }
    }
  }
  return { bytes, values };
}

export interface PackCase {
  precision: Precision;
  dtype: WeightDType;
  inputs: number;
  /** Rows of the tensor. */
  rows: number;
  firstColumn: number;
  columnStride: number;
  /** Outputs of the whole packed matrix. */
  outputs: number;
  seed: number;
}

/**
 * Streams a tensor in random chunks, out of order, into a prefilled matrix; then every number of it must be the tensor's,
 * exactly (rounded once for f16), and every other one untouched.
 */
export async function checkPack(gpu: Gpu, test: PackCase): Promise<void> {
  const { precision, dtype, inputs: K, rows, firstColumn, columnStride, outputs, seed } = test;
  const what = `pack ${dtype} → ${precision}, ${rows}×${K} at ${firstColumn}+${columnStride}r of ${outputs}, seed ${seed}`;
  const random = seeded(seed);
  const { bytes, values } = tensor(dtype, rows * K, random);
  const columns = packedColumns(outputs);
  const format = { kind: 'float', precision } as const;
  const size = packedBytes(K, outputs, format);
  const buffer = upload(gpu, 'packed', new Uint8Array(size).fill(0x11));
  const matrix = { format, inputs: K, outputs, parts: [{ first: 0, outputs, buffer }] };
  const runs = [{ row: 0, rows, column: firstColumn, stride: columnStride }];
  const packer = await WeightPacker.create(gpu, [format], 64);

  const chunks: [from: number, to: number][] = [];
  for (let from = 0; from < values.length; ) {
    const to = Math.min(values.length, from + 2 + 2 * Math.floor(random() * 1.5 * K));
    chunks.push([from, to]);
    from = to;
  }
  chunks.sort(() => random() - 0.5);
  for (const [from, to] of chunks) {
    // The caller's memory at an odd place, and overwritten as soon as write returns.
    const copy = new Uint8Array((to - from) * SIZE[dtype] + 3);
    copy.set(bytes.subarray(from * SIZE[dtype], to * SIZE[dtype]), 3);
    packer.writeFloats(matrix, runs, { dtype, element: from, bytes: copy.subarray(3) });
    copy.fill(0xee);
  }

  const packed = await download(gpu, buffer, size);
  const view = new DataView(packed);
  const touched = new Set<number>();
  for (let row = 0; row < rows; row++) {
    for (let k = 0; k < K; k++) {
      const column = firstColumn + row * columnStride;
      const at = (Math.floor(k / 4) * columns + column) * 4 + (k % 4);
      touched.add(at);
      const wanted = values[row * K + k]!;
      const rounded = precision === 'f16' ? nearestHalf(wanted) : wanted;
      const actual = precision === 'f16' ? value16(view.getUint16(at * 2, true)) : view.getFloat32(at * 4, true);
      assert(Object.is(actual, rounded), `${what}: row ${row}, k ${k}: ${actual}, not ${rounded} (from ${wanted})`);
    }
  }
  const width = precision === 'f16' ? 2 : 4;
  for (let at = 0; at < size / width; at++) {
    if (touched.has(at)) continue;
    for (let b = 0; b < width; b++)
      assert(view.getUint8(at * width + b) === 0x11, `${what}: wrote outside its columns`);
  }
  packer.dispose();
  gpu.free(buffer);
}

/** Every pair of dtype and precision, contiguous and interleaved columns. */
export async function checkPackAll(gpu: Gpu): Promise<void> {
  for (const precision of ['f32', 'f16'] as const) {
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      await checkPack(gpu, {
        precision,
        dtype,
        inputs: 12,
        rows: 9,
        firstColumn: 0,
        columnStride: 1,
        outputs: 9,
        seed: 1,
      });
      await checkPack(gpu, {
        precision,
        dtype,
        inputs: 20,
        rows: 6,
        firstColumn: 1,
        columnStride: 2,
        outputs: 13,
        seed: 2,
      });
      await checkPack(gpu, {
        precision,
        dtype,
        inputs: 8,
        rows: 5,
        firstColumn: 7,
        columnStride: 1,
        outputs: 16,
        seed: 3,
      });
    }
  }
}

/** A zeroed matrix of two parts, of 128 columns and the rest. */
function partedMatrix(gpu: Gpu, inputs: number, outputs: number, format: QuantizedFormat) {
  const ranges = [
    { first: 0, outputs: 128 },
    { first: 128, outputs: outputs - 128 },
  ];
  const parts = ranges.map((range) => ({
    ...range,
    buffer: gpu.buffer('part', packedBytes(inputs, range.outputs, format)),
  }));
  return { inputs, outputs, format, parts };
}

/** Even columns from one tensor, odd ones from another's second half and then its first, in chunks of rows: all exact. */
export async function checkPackCodes(gpu: Gpu, format: QuantizedFormat, seed: number): Promise<void> {
  const random = seeded(seed);
  const inputs = format.group * 3;
  const rows = 70;
  const matrix = partedMatrix(gpu, inputs, 2 * rows, format);
  const packer = await WeightPacker.create(gpu, [format], 1024);
  const runs = [
    [{ row: 0, rows, column: 0, stride: 2 }],
    [
      { row: 0, rows: 30, column: 1 + 2 * 40, stride: 2 },
      { row: 30, rows: 40, column: 1, stride: 2 },
    ],
  ];
  const expected = new Float64Array(2 * rows * inputs);
  for (const [tensor, places] of runs.entries()) {
    const { codes, scales, biases, values } = randomCoded(random, format, rows, inputs);
    for (let firstRow = 0; firstRow < rows; ) {
      const count = Math.min(rows - firstRow, 1 + Math.floor(random() * 40));
      const rowBytes = codes.length / rows;
      const groups = scales.length / rows;
      const of = <T extends Uint16Array | Float32Array>(list: T) =>
        list.slice(firstRow * groups, (firstRow + count) * groups) as T;
      packer.writeCodes(matrix, places, {
        firstRow,
        rows: count,
        codes: codes.slice(firstRow * rowBytes, (firstRow + count) * rowBytes),
        scales: of(scales),
        biases: biases && of(biases),
      });
      firstRow += count;
    }
    for (let row = 0; row < rows; row++) {
      const column = tensor === 0 ? 2 * row : 1 + 2 * ((row + 40) % rows);
      expected.set(values.subarray(row * inputs, (row + 1) * inputs), column * inputs);
    }
  }
  const { values } = await readCodes(gpu, matrix);
  for (const [i, value] of values.entries()) {
    assert(value === expected[i], `codes ${JSON.stringify(format)}: ${value} at ${i}, not ${expected[i]}`);
  }
  packer.dispose();
  for (const { buffer } of matrix.parts) gpu.free(buffer);
}

/**
 * Floats quantised on their way in: each scale is the group's greatest magnitude over the levels, as near as f16 and a GPU's
 * division come; each code the one nearest to its number.
 */
export async function checkQuantize(
  gpu: Gpu,
  format: QuantizedFormat,
  dtype: WeightDType,
  seed: number,
): Promise<void> {
  const what = `quantise ${dtype} to ${format.bits} bits, seed ${seed}`;
  const random = seeded(seed);
  const { group, zero, bits } = format;
  const levels = bits === 4 ? 7 : 127;
  // An odd number of groups: the last has its word of scales to itself.
  const inputs = group * 3;
  const rows = 150;
  const numbers = randoms(random, rows * inputs, 0.2);
  numbers.fill(0, 5 * group, 6 * group);
  numbers.set(
    [-0.5, 0.25, 0.1, -0.3].flatMap((value) => new Array<number>(group / 4).fill(value)),
    7 * group,
  );
  const bytes = new Uint8Array(numbers.length * SIZE[dtype]);
  const view = new DataView(bytes.buffer);
  const stored = numbers.map((value, i) => {
    if (dtype === 'F32') view.setFloat32(i * 4, value, true);
    else if (dtype === 'F16') view.setUint16(i * 2, numberToF16(value), true);
    else view.setUint16(i * 2, numberToBf16(value), true);
    return dtype === 'F32' ? value : dtype === 'F16' ? nearestHalf(value) : bf16ToNumber(numberToBf16(value));
  });
  const matrix = partedMatrix(gpu, inputs, rows, format);
  const packer = await WeightPacker.create(gpu, [format], 2048);
  const runs = [{ row: 0, rows, column: 0, stride: 1 }];
  const size = SIZE[dtype];
  // The second chunk begins within a row, at a pair of groups.
  const cuts = [0, 64 * inputs + 2 * group, rows * inputs];
  for (const [i, element] of cuts.slice(0, -1).entries()) {
    packer.writeFloats(matrix, runs, { dtype, element, bytes: bytes.slice(element * size, cuts[i + 1]! * size) });
  }
  const { codes, scales, values } = await readCodes(gpu, matrix);
  for (const [g, scale] of scales.entries()) {
    const own = stored.subarray(g * group, (g + 1) * group);
    const most = own.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const error = Math.abs(scale - most / levels);
    assert(error <= (most / levels) * 2 ** -10, `${what}: scale ${scale} of group ${g}, not ${most / levels}`);
    for (const [i, value] of own.entries()) {
      const at = g * group + i;
      assert(Math.abs(codes[at]! - zero) <= levels, `${what}: code ${codes[at]}`);
      // Half a step, and where the scale was rounded down, what it is short of the greatest.
      const allowed = scale / 2 + 1e-6 * most + levels * error;
      assert(Math.abs(values[at]! - value) <= allowed, `${what}: ${value} became ${values[at]}, scale ${scale}`);
    }
  }
  packer.dispose();
  for (const { buffer } of matrix.parts) gpu.free(buffer);
}

/** Codes as they come, and floats made codes. */
export async function checkPackQuantized(gpu: Gpu): Promise<void> {
  for (const [seed, format] of QUANTIZED.entries()) await checkPackCodes(gpu, format, seed);
  for (const [seed, dtype] of (['F32', 'F16', 'BF16'] as const).entries()) {
    await checkQuantize(gpu, seed === 1 ? EIGHT_BIT : FOUR_BIT, dtype, seed);
  }
}
