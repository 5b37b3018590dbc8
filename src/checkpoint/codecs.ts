/**
 * The neutral form of matrices that MLC and MLX quantised. Both keep codes in little-endian u32 words, the earlier elements
 * in the lower bits, which is the neutral order already.
 */
import { decodeWeights, type WeightDType } from '../numbers.ts';
import type { GroupValues, QuantizedEncoding } from './quantized.ts';
import type { Codec } from './stored.ts';

/** The type that holds scales of `dtype` without loss. */
const scaleType = (dtype: WeightDType) => (dtype === 'F16' ? 'f16' : 'f32');

function groupValues(bytes: Uint8Array<ArrayBuffer>, dtype: WeightDType): GroupValues {
  return dtype === 'F16' ? new Uint16Array(bytes.buffer) : decodeWeights(bytes, dtype);
}

/** Each value `times` times in a row. */
function repeated(values: GroupValues, times: number): GroupValues {
  if (times === 1) return values;
  const length = values.length * times;
  const out = values instanceof Uint16Array ? new Uint16Array(length) : new Float32Array(length);
  for (let i = 0; i < length; i++) out[i] = values[Math.floor(i / times)]!;
  return out;
}

const SCALE_BYTES = { F16: 2, BF16: 2, F32: 4 } as const;

/** MLC's q4f16_1 and q4f32_1: groups of 32, value = (code − 7) · scale. */
export function mlc4(dtype: WeightDType): Codec {
  const encoding: QuantizedEncoding = {
    kind: 'quantized',
    bits: 4,
    group: 32,
    affine: false,
    zero: 7,
    scale: scaleType(dtype),
  };
  return {
    encoding,
    rowBytes: (columns) => [columns / 2, (columns / 32) * SCALE_BYTES[dtype]],
    decode: ([codes, scales]) => ({ codes: codes!, scales: groupValues(scales!, dtype), biases: null }),
  };
}

/** Elements that a group of `mlc3` has, in four words of ten. */
export const MLC3_GROUP = 40;

/**
 * MLC's q3f16_1: groups of 40 in four words of ten 3-bit codes, value = (code − 3) · scale; the last group of a row is padded.
 * 40 is five times 8, so that groups of 8 with the scale repeated say the same, in 4-bit codes.
 */
export function mlc3(dtype: WeightDType): Codec {
  const encoding: QuantizedEncoding = {
    kind: 'quantized',
    bits: 4,
    group: 8,
    affine: false,
    zero: 3,
    scale: scaleType(dtype),
  };
  const groupsOf = (columns: number) => Math.ceil(columns / MLC3_GROUP);
  return {
    encoding,
    rowBytes: (columns) => [groupsOf(columns) * 16, groupsOf(columns) * SCALE_BYTES[dtype]],
    decode([bytes, scaleBytes], rows, columns) {
      const words = new Uint32Array(bytes!.buffer);
      const given = groupValues(scaleBytes!, dtype);
      const groups = groupsOf(columns);
      const codes = new Uint8Array((rows * columns) / 2);
      const length = rows * (columns / 8);
      const scales = given instanceof Uint16Array ? new Uint16Array(length) : new Float32Array(length);
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const word = words[row * groups * 4 + Math.floor(column / 10)]!;
          const code = (word >>> (3 * (column % 10))) & 7;
          codes[(row * columns + column) >> 1]! |= code << (4 * (column & 1));
        }
        for (let group = 0; group < columns / 8; group++)
          scales[(row * columns) / 8 + group] = given[row * groups + Math.floor((group * 8) / MLC3_GROUP)]!;
      }
      return { codes, scales, biases: null };
    },
  };
}

/** MLX's affine quantisation: value = code · scale + bias, groups of 32, 64 or 128 (here: of 32, the larger ones repeated). */
export function mlx(bits: 4 | 8, group: 32 | 64 | 128, dtype: WeightDType): Codec {
  const encoding: QuantizedEncoding = {
    kind: 'quantized',
    bits,
    group: 32,
    affine: true,
    zero: 0,
    scale: scaleType(dtype),
  };
  const groupBytes = (columns: number) => (columns / group) * SCALE_BYTES[dtype];
  return {
    encoding,
    rowBytes: (columns) => [(columns * bits) / 8, groupBytes(columns), groupBytes(columns)],
    decode: ([codes, scales, biases]) => ({
      codes: codes!,
      scales: repeated(groupValues(scales!, dtype), group / 32),
      biases: repeated(groupValues(biases!, dtype), group / 32),
    }),
  };
}
