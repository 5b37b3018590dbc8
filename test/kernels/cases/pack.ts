/** Checks of the weight packer on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { packedBytes, packedColumns, WeightPacker } from '../../../src/kernels/pack.ts';
import type { Precision } from '../../../src/kernels/precision.ts';
import type { WeightDType } from '../../../src/numbers.ts';
import { assert, download, nearestHalf, seeded, upload } from './linear-support.ts';

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
  const size = packedBytes(K, outputs, precision);
  const matrix = upload(gpu, 'packed', new Uint8Array(size).fill(0x11));
  const packer = await WeightPacker.create(gpu, precision, 64);

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
    packer.write(
      matrix,
      { inputs: K, columns },
      { dtype, firstColumn, columnStride, elementOffset: from },
      copy.subarray(3),
    );
    copy.fill(0xee);
  }

  const packed = await download(gpu, matrix, size);
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
  gpu.free(matrix);
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
