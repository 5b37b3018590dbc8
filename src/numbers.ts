/**
 * The number formats of weights on the host, bit for bit: for vectors, tests and synthetic checkpoints. Matrices are
 * converted on the GPU. Ground floor, like the errors: every room may use it.
 */
import { ReckonError } from './errors.ts';

/** Formats in which weights are accepted. */
export type WeightDType = 'F32' | 'F16' | 'BF16';

/** Bytes an element takes. */
export const WEIGHT_BYTES: Readonly<Record<WeightDType, number>> = { F32: 4, F16: 2, BF16: 2 };

const bits32 = new Uint32Array(1);
const float32 = new Float32Array(bits32.buffer);

/** The value of IEEE 754 binary16 bits; exact, subnormals, infinities and NaN included. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The value of bfloat16 bits (the upper half of a binary32); exact. */
export function bf16ToNumber(bits: number): number {
  bits32[0] = bits << 16;
  return float32[0]!;
}

/** Nearest binary16 bits, ties to even; beyond ±65504 by half a step or more: infinity. */
export function numberToF16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (size >= 65520) return sign | 0x7c00;
  if (size < 2 ** -14) return sign | roundToEven(size * 2 ** 24);
  let exponent = Math.floor(Math.log2(size));
  // log2 may round up to the next whole number just below a power of two.
  if (2 ** exponent > size) exponent -= 1;
  // Adding lets a carry out of the fraction raise the exponent.
  return sign | (((exponent + 15) << 10) + (roundToEven(size * 2 ** (10 - exponent)) - 1024));
}

/** Nearest bfloat16 bits to the binary32 nearest `value`, ties to even. */
export function numberToBf16(value: number): number {
  float32[0] = value;
  const bits = bits32[0]!;
  if (Number.isNaN(value)) return 0x7fc0;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest > 0.5 || (rest === 0.5 && floor % 2 === 1)) return floor + 1;
  return floor;
}

/**
 * Weights as f32, whatever they are stored as (little-endian). Exact.
 * @throws ReckonError `bad-option` when the bytes are no whole number of elements.
 */
export function decodeWeights(bytes: Uint8Array, dtype: WeightDType): Float32Array<ArrayBuffer> {
  const size = WEIGHT_BYTES[dtype];
  if (bytes.length % size !== 0) {
    throw new ReckonError('bad-option', `${bytes.length} bytes are no whole number of ${dtype} values.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float32Array(bytes.length / size);
  for (let i = 0; i < values.length; i++) {
    if (dtype === 'F32') values[i] = view.getFloat32(i * 4, true);
    else if (dtype === 'F16') values[i] = f16ToNumber(view.getUint16(i * 2, true));
    else values[i] = bf16ToNumber(view.getUint16(i * 2, true));
  }
  return values;
}
