/** The bytes of a layer's keys or values, written from the layouts that shaders/attention/pages.wesl states. */
import { type KvPrecision, kvHeadBytes } from '../../../src/kernels/precision.ts';
import { PAGE_SIZE } from '../../../src/kernels/step.ts';
import { nearestHalf } from './linear-support.ts';

export interface CacheShape {
  heads: number;
  kvHeads: number;
  headDim: number;
  precision: KvPrecision;
}

export type CacheKind = 'keys' | 'values';

/** Bytes of one number. */
const SIZE: Record<KvPrecision, number> = { f32: 4, f16: 2, int8: 1 };

/** A head of one token in int8, by the definition: scale = largest magnitude / 127, code = number / scale, rounded. */
export function quantised(numbers: ArrayLike<number>): { codes: number[]; scale: number } {
  const largest = Array.from(numbers).reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  const scale = largest / 127;
  return { codes: Array.from(numbers, (x) => (scale === 0 ? 0 : Math.round(x / scale))), scale: Math.fround(scale) };
}

/** Numbers of a token, [kvHeads · headDim], as the cache rounds them. */
export function rounded(
  numbers: Float32Array,
  { headDim, precision }: Pick<CacheShape, 'headDim' | 'precision'>,
): Float32Array<ArrayBuffer> {
  if (precision === 'f32') return Float32Array.from(numbers);
  if (precision === 'f16') return Float32Array.from(numbers, nearestHalf);
  const out = new Float32Array(numbers.length);
  for (let first = 0; first < numbers.length; first += headDim) {
    const { codes, scale } = quantised(numbers.subarray(first, first + headDim));
    for (const [i, code] of codes.entries()) out[first + i] = code * scale;
  }
  return out;
}

/** Bits of a number that f16 holds exactly. */
export function halfBits(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  if (magnitude < 2 ** -14) return sign | (magnitude / 2 ** -24);
  const exponent = Math.floor(Math.log2(magnitude));
  return sign | ((exponent + 15) << 10) | ((magnitude / 2 ** exponent - 1) * 1024);
}

/** The number whose f16 bits these are. */
export function halfNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

/** Bytes of [page][head] as `parts` buffers hold them, each with as many heads. */
export function divideHeads(bytes: Uint8Array, pages: number, parts: number): Uint8Array<ArrayBuffer>[] {
  const run = bytes.length / (pages * parts);
  return Array.from({ length: parts }, (_, part) => {
    const own = new Uint8Array(bytes.length / parts);
    for (let page = 0; page < pages; page++) {
      const from = (page * parts + part) * run;
      own.set(bytes.subarray(from, from + run), page * run);
    }
    return own;
  });
}

/** What was divided, whole again. */
export function joinHeads(parts: readonly Uint8Array[], pages: number): Uint8Array<ArrayBuffer> {
  const run = parts[0]!.length / pages;
  const whole = new Uint8Array(parts.length * pages * run);
  for (const [part, bytes] of parts.entries()) {
    for (let page = 0; page < pages; page++) {
      whole.set(bytes.subarray(page * run, (page + 1) * run), (page * parts.length + part) * run);
    }
  }
  return whole;
}

/** Keys or values of some pages; every byte not written is 0xff, which makes NaNs of f32, f16 and scales. */
export class CacheMemory {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly #shape: Pick<CacheShape, 'kvHeads' | 'headDim' | 'precision'>;
  readonly #kind: CacheKind;
  readonly #view: DataView;

  constructor(kind: CacheKind, shape: Pick<CacheShape, 'kvHeads' | 'headDim' | 'precision'>, pages: number) {
    this.#kind = kind;
    this.#shape = shape;
    const { kvHeads, headDim, precision } = shape;
    this.bytes = new Uint8Array(pages * PAGE_SIZE * kvHeads * kvHeadBytes(headDim, precision)).fill(0xff);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Numbers of one head of the token at a place. */
  write(page: number, offset: number, head: number, numbers: ArrayLike<number>): void {
    const { headDim, precision } = this.#shape;
    if (precision === 'int8') {
      const { codes, scale } = quantised(numbers);
      for (const [i, code] of codes.entries()) this.#view.setInt8(this.#at(page, offset, head, i), code);
      this.#view.setFloat32(this.#scaleAt(page, offset, head), scale, true);
      return;
    }
    for (let i = 0; i < headDim; i++) {
      const at = this.#at(page, offset, head, i);
      if (precision === 'f32') this.#view.setFloat32(at, numbers[i]!, true);
      else this.#view.setUint16(at, halfBits(nearestHalf(numbers[i]!)), true);
    }
  }

  /** What the head of the token at a place is read as; `scale`: what its codes are multiplied with, int8 only. */
  read(page: number, offset: number, head: number): { numbers: Float32Array; scale: number } {
    const { headDim, precision } = this.#shape;
    const scale = precision === 'int8' ? this.#view.getFloat32(this.#scaleAt(page, offset, head), true) : 1;
    const numbers = Float32Array.from({ length: headDim }, (_, i) => {
      const at = this.#at(page, offset, head, i);
      if (precision === 'f32') return this.#view.getFloat32(at, true);
      if (precision === 'f16') return halfNumber(this.#view.getUint16(at, true));
      return this.#view.getInt8(at) * scale;
    });
    return { numbers, scale };
  }

  /** Makes the head of the token at a place what it was before anything was written. */
  erase(page: number, offset: number, head: number): void {
    const { headDim, precision } = this.#shape;
    for (let i = 0; i < headDim; i++) {
      const at = this.#at(page, offset, head, i);
      this.bytes.fill(0xff, at, at + SIZE[precision]);
    }
    if (precision === 'int8') this.#view.setUint32(this.#scaleAt(page, offset, head), 0xffffffff);
  }

  /** Byte of number `i`. */
  #at(page: number, offset: number, head: number, i: number): number {
    const { headDim, precision } = this.#shape;
    const index = this.#kind === 'keys' ? (Math.floor(i / 4) * PAGE_SIZE + offset) * 4 + (i % 4) : offset * headDim + i;
    return this.#block(page, head) + index * SIZE[precision];
  }

  #scaleAt(page: number, offset: number, head: number): number {
    return this.#block(page, head) + PAGE_SIZE * this.#shape.headDim + offset * 4;
  }

  /** First byte of a head in a page. */
  #block(page: number, head: number): number {
    const { kvHeads, headDim, precision } = this.#shape;
    return (page * kvHeads + head) * PAGE_SIZE * kvHeadBytes(headDim, precision);
  }
}
