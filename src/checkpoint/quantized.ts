/**
 * Quantised matrices in one neutral form, whatever file they come from: codes in groups along a row, and a scale a group.
 * Readers write it, the GPU side packs it; what is here is its meaning, exact and slow.
 */
import { ReckonError } from '../errors.ts';
import { decodeWeights, f16ToNumber, type WeightDType } from '../numbers.ts';
import type { TensorChunk } from './stream.ts';

/**
 * How the elements of a quantised matrix [rows, K] are written. Symmetric: value = (code − zero) · scale. Affine: value =
 * code · scale + bias. Codes are unsigned. K is a multiple of `group`.
 */
export interface QuantizedEncoding {
  readonly kind: 'quantized';
  readonly bits: 4 | 8;
  /** Elements along a row that share a scale. */
  readonly group: 8 | 16 | 32;
  readonly affine: boolean;
  /** Symmetric: the code that means 0 (7 in MLC's 4-bit matrices, 8 in Q4_0, 128 where there are 8 bits). Affine: 0. */
  readonly zero: number;
  /** Type of scales, and of biases where there are any. */
  readonly scale: 'f16' | 'f32';
}

export interface FloatEncoding {
  readonly kind: 'float';
  readonly dtype: WeightDType;
}

/** How a matrix lies in its file, known before any of it is read. */
export type MatrixEncoding = FloatEncoding | QuantizedEncoding;

/** Scales or biases: f16 as bits, f32 as values. */
export type GroupValues = Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** Whole rows of a quantised matrix. All arrays are buffers of their own from offset 0; the receiver may keep them. */
export interface QuantizedChunk {
  readonly kind: 'quantized';
  readonly name: string;
  readonly encoding: QuantizedEncoding;
  /** [outputs, inputs] of the whole matrix; inputs = K. */
  readonly shape: readonly [number, number];
  readonly firstRow: number;
  readonly rows: number;
  /** [rows][K · bits / 8]: 4-bit codes two a byte, the earlier in the low half. */
  readonly codes: Uint8Array<ArrayBuffer>;
  /** [rows][K / group] */
  readonly scales: GroupValues;
  /** Like `scales`; where and only where the encoding is affine. */
  readonly biases: GroupValues | null;
  /** The matrix ends with this chunk. */
  readonly last: boolean;
}

/** A piece of a checkpoint as it is streamed. */
export type WeightChunk = TensorChunk | QuantizedChunk;

const widened = (values: GroupValues): ArrayLike<number> =>
  values instanceof Uint16Array ? Float64Array.from(values, f16ToNumber) : values;

/** The code of element `index` of row-major codes. */
function codeAt(codes: Uint8Array, bits: 4 | 8, index: number): number {
  return bits === 8 ? codes[index]! : (codes[index >> 1]! >> ((index & 1) * 4)) & 15;
}

/** Values [rows][K] of a chunk. Symmetric ones are exact; affine ones are rounded once, to float64. */
export function dequantize(chunk: QuantizedChunk): Float64Array<ArrayBuffer> {
  const { encoding, codes, rows, shape } = chunk;
  const { bits, group, zero } = encoding;
  const scales = widened(chunk.scales);
  const biases = chunk.biases && widened(chunk.biases);
  const values = new Float64Array(rows * shape[1]);
  for (let i = 0; i < values.length; i++) {
    const at = Math.floor(i / group);
    values[i] = (codeAt(codes, bits, i) - zero) * scales[at]! + (biases?.[at] ?? 0);
  }
  return values;
}

/**
 * The encoding that matrices of several encodings can be brought to, so that they may lie in one buffer: one of them where
 * all are alike, the least that holds all quantised ones without loss, or f32 floats where floats and codes mix.
 */
export function commonEncoding(encodings: readonly MatrixEncoding[]): MatrixEncoding {
  const [first] = encodings;
  if (!first) throw new ReckonError('internal', 'There is no encoding common to no matrices.');
  return encodings.reduce(join, first);
}

function join(a: MatrixEncoding, b: MatrixEncoding): MatrixEncoding {
  if (a.kind === 'float' || b.kind === 'float') {
    const same = a.kind === 'float' && b.kind === 'float' && a.dtype === b.dtype;
    return same ? a : { kind: 'float', dtype: 'F32' };
  }
  const bits = a.bits === 8 || b.bits === 8 ? 8 : 4;
  const zeroOf = (encoding: QuantizedEncoding) => encoding.zero + shiftOf(encoding, bits);
  const affine = a.affine || b.affine || zeroOf(a) !== zeroOf(b);
  return {
    kind: 'quantized',
    bits,
    group: Math.min(a.group, b.group) as 8 | 16 | 32,
    affine,
    zero: affine ? 0 : zeroOf(a),
    // A bias made from a scale has more digits than the scale.
    scale: a.scale === 'f32' || b.scale === 'f32' || (affine && !(a.affine && b.affine)) ? 'f32' : 'f16',
  };
}

/** What is added to codes on their way to `bits`: symmetric ones are moved to the middle of the range. */
function shiftOf(encoding: QuantizedEncoding, bits: 4 | 8): number {
  return bits === 8 && encoding.bits === 4 && !encoding.affine ? 128 - encoding.zero : 0;
}

/**
 * The same values in another encoding, one that `commonEncoding` gave for it. Between quantised encodings and from float to
 * float nothing is lost; from codes to floats, values are rounded to f32.
 * @throws ReckonError `internal` when `to` cannot hold it.
 */
export function promote(chunk: QuantizedChunk, to: QuantizedEncoding): QuantizedChunk;
export function promote(chunk: WeightChunk, to: MatrixEncoding): WeightChunk;
export function promote(chunk: WeightChunk, to: MatrixEncoding): WeightChunk {
  if (chunk.kind === 'float') {
    if (to.kind === 'float' && to.dtype === chunk.dtype) return chunk;
    if (to.kind !== 'float' || to.dtype !== 'F32') throw unpromotable(chunk.name);
    const start = (chunk.start / 2) * 4;
    return { ...chunk, dtype: 'F32', start, bytes: new Uint8Array(decodeWeights(chunk.bytes, chunk.dtype).buffer) };
  }
  const { name, encoding, shape, firstRow, last } = chunk;
  if (to.kind === 'float') {
    if (to.dtype !== 'F32') throw unpromotable(name);
    const bytes = new Uint8Array(Float32Array.from(dequantize(chunk)).buffer);
    return { kind: 'float', name, dtype: 'F32', shape, bytes, start: firstRow * shape[1] * 4, last };
  }
  const lossless = to.bits >= encoding.bits && to.group <= encoding.group && (to.affine || !encoding.affine);
  const shift = to.affine ? 0 : shiftOf(encoding, to.bits);
  if (!lossless || (!to.affine && encoding.zero + shift !== to.zero)) throw unpromotable(name);
  if (to.affine && !encoding.affine && to.scale === 'f16') throw unpromotable(name);
  const repeat = encoding.group / to.group;
  const made = to.affine && !encoding.affine;
  return {
    ...chunk,
    encoding: to,
    codes: recode(chunk, to.bits, shift),
    scales: spread(chunk.scales, repeat, to.scale, name),
    biases: made
      ? spread(
          Float32Array.from(widened(chunk.scales), (scale) => -encoding.zero * scale),
          repeat,
          to.scale,
          name,
        )
      : chunk.biases && spread(chunk.biases, repeat, to.scale, name),
  };
}

/** Codes of 4 bits as bytes, `shift` added. A plain loop: files of some gigabytes pass through here. */
function recode({ codes, encoding }: QuantizedChunk, bits: 4 | 8, shift: number): Uint8Array<ArrayBuffer> {
  if (bits === encoding.bits) return codes;
  const out = new Uint8Array(codes.length * 2);
  for (let i = 0; i < codes.length; i++) {
    const pair = codes[i]!;
    out[2 * i] = (pair & 15) + shift;
    out[2 * i + 1] = (pair >> 4) + shift;
  }
  return out;
}

/** Each value `repeat` times, in the type `to`. */
function spread(values: GroupValues, repeat: number, to: 'f16' | 'f32', name: string): GroupValues {
  if (to === 'f16' && !(values instanceof Uint16Array)) throw unpromotable(name);
  const length = values.length * repeat;
  const from = to === 'f32' ? widened(values) : values;
  const out = to === 'f32' ? new Float32Array(length) : new Uint16Array(length);
  for (let i = 0; i < length; i++) out[i] = from[Math.floor(i / repeat)]!;
  return out;
}

function unpromotable(name: string): ReckonError {
  return new ReckonError('internal', `${name} cannot be brought to that encoding without loss.`);
}
