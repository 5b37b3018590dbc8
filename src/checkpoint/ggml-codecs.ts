/**
 * The neutral form of GGML's block formats, exactly. Their layouts are those of ggml's `block_*` structures
 * (https://github.com/ggml-org/ggml, src/ggml-common.h); d and m are f16. Formats of 32 elements a block:
 *
 * - Q4_0: d, 16 bytes; (code − 8) · d. Q4_1: d, m, 16 bytes; code · d + m.
 * - Q5_0, Q5_1: as these, with u32 of fifth bits before the bytes; (code − 16) · d, and code · d + m.
 * - Q8_0: d, 32 signed bytes; code · d.
 *
 * Low halves of the bytes are the first 16 elements, high halves the last. Formats of 256 elements a block:
 *
 * - Q4_K: d, m, 12 bytes of eight 6-bit scales s and minima n, 128 bytes; code · d·s − m·n, in groups of 32.
 * - Q5_K: as that, with 32 bytes of fifth bits before the 128.
 * - Q6_K: 128 bytes of low halves, 64 of upper pairs of bits, 16 signed scales s, d; (code − 32) · d·s, in groups of 16.
 */
import { f16ToNumber } from '../numbers.ts';
import type { QuantizedEncoding } from './quantized.ts';
import type { Codec } from './stored.ts';

type Neutral = Pick<QuantizedEncoding, 'bits' | 'group' | 'affine' | 'zero' | 'scale'>;

/** Where a block writes. */
interface BlockOutput {
  readonly codes: Uint8Array;
  readonly scales: Uint16Array | Float32Array;
  readonly biases: Uint16Array | Float32Array;
  /** The byte of codes, and the group, at which the block begins. */
  code: number;
  group: number;
}

interface Source {
  readonly bytes: Uint8Array;
  readonly view: DataView;
}

interface BlockFormat extends Neutral {
  /** Elements in a block, and bytes it takes. */
  readonly elements: 32 | 256;
  readonly bytes: number;
  /** Reads the block that begins at byte `at`. */
  read(source: Source, at: number, out: BlockOutput): void;
}

/** Puts the low halves of `count` pairs of bytes side by side. */
function lowHalves({ bytes }: Source, from: number, codes: Uint8Array, to: number, count: number): void {
  for (let i = 0; i < count; i++) codes[to + i] = (bytes[from + 2 * i]! & 15) | ((bytes[from + 2 * i + 1]! & 15) << 4);
}

/** The same of the high halves. */
function highHalves({ bytes }: Source, from: number, codes: Uint8Array, to: number, count: number): void {
  for (let i = 0; i < count; i++) codes[to + i] = (bytes[from + 2 * i]! >> 4) | (bytes[from + 2 * i + 1]! & 0xf0);
}

/** Codes of a block of 32, one a byte: halves of 16 bytes from `at`, a fifth bit from `high`, and `shift` added. */
function fiveBits({ bytes }: Source, at: number, high: number, out: BlockOutput, shift: number): void {
  const { codes, code } = out;
  for (let i = 0; i < 16; i++) {
    const byte = bytes[at + i]!;
    codes[code + i] = (byte & 15) + (((high >>> i) & 1) << 4) + shift;
    codes[code + i + 16] = (byte >> 4) + (((high >>> (i + 16)) & 1) << 4) + shift;
  }
}

/** Scale and minimum of each of 8 groups, from the 12 packed bytes of the K formats. */
function packedScales({ bytes, view }: Source, at: number, { scales, biases, group }: BlockOutput): void {
  const d = f16ToNumber(view.getUint16(at, true));
  const m = f16ToNumber(view.getUint16(at + 2, true));
  for (let j = 0; j < 8; j++) {
    const [before, here, behind] = [bytes[at + j]!, bytes[at + 4 + j]!, bytes[at + 8 + j]!];
    const scale = j < 4 ? here & 63 : (behind & 15) | ((before >> 6) << 4);
    const minimum = j < 4 ? behind & 63 : (behind >> 4) | ((here >> 6) << 4);
    scales[group + j] = d * scale;
    biases[group + j] = -m * minimum;
  }
}

const HALF_SCALE = { scale: 'f16', group: 32, elements: 32 } as const;
const SIGNED = { bits: 8, affine: false, zero: 128 } as const;
/** From codes of 6 bits around 32 to such of 8 around 128. */
const Q6_SHIFT = 128 - 32;
const AFFINE = { affine: true, zero: 0 } as const;

const FORMATS = {
  Q4_0: {
    ...HALF_SCALE,
    bits: 4,
    affine: false,
    zero: 8,
    bytes: 18,
    read(source, at, { codes, scales, code, group }) {
      scales[group] = source.view.getUint16(at, true);
      lowHalves(source, at + 2, codes, code, 8);
      highHalves(source, at + 2, codes, code + 8, 8);
    },
  },
  Q4_1: {
    ...HALF_SCALE,
    ...AFFINE,
    bits: 4,
    bytes: 20,
    read(source, at, { codes, scales, biases, code, group }) {
      scales[group] = source.view.getUint16(at, true);
      biases[group] = source.view.getUint16(at + 2, true);
      lowHalves(source, at + 4, codes, code, 8);
      highHalves(source, at + 4, codes, code + 8, 8);
    },
  },
  Q5_0: {
    ...HALF_SCALE,
    ...SIGNED,
    bytes: 22,
    read(source, at, out) {
      out.scales[out.group] = source.view.getUint16(at, true);
      fiveBits(source, at + 6, source.view.getUint32(at + 2, true), out, 128 - 16);
    },
  },
  Q5_1: {
    ...HALF_SCALE,
    ...AFFINE,
    bits: 8,
    bytes: 24,
    read(source, at, out) {
      out.scales[out.group] = source.view.getUint16(at, true);
      out.biases[out.group] = source.view.getUint16(at + 2, true);
      fiveBits(source, at + 8, source.view.getUint32(at + 4, true), out, 0);
    },
  },
  Q8_0: {
    ...HALF_SCALE,
    ...SIGNED,
    bytes: 34,
    read({ bytes, view }, at, { codes, scales, code, group }) {
      scales[group] = view.getUint16(at, true);
      for (let i = 0; i < 32; i++) codes[code + i] = bytes[at + 2 + i]! ^ 128;
    },
  },
  Q4_K: {
    ...AFFINE,
    bits: 4,
    group: 32,
    scale: 'f32',
    elements: 256,
    bytes: 144,
    // Groups in pairs: 32 bytes hold one in the low halves, the other in the high.
    read(source, at, out) {
      packedScales(source, at, out);
      for (let pair = 0; pair < 4; pair++) {
        lowHalves(source, at + 16 + pair * 32, out.codes, out.code + pair * 32, 16);
        highHalves(source, at + 16 + pair * 32, out.codes, out.code + pair * 32 + 16, 16);
      }
    },
  },
  Q5_K: {
    ...AFFINE,
    bits: 8,
    group: 32,
    scale: 'f32',
    elements: 256,
    bytes: 176,
    read(source, at, out) {
      packedScales(source, at, out);
      const { bytes } = source;
      for (let pair = 0; pair < 4; pair++) {
        for (let i = 0; i < 32; i++) {
          const low = bytes[at + 48 + pair * 32 + i]!;
          const fifth = bytes[at + 16 + i]! >> (2 * pair);
          out.codes[out.code + pair * 64 + i] = (low & 15) | ((fifth & 1) << 4);
          out.codes[out.code + pair * 64 + 32 + i] = (low >> 4) | ((fifth & 2) << 3);
        }
      }
    },
  },
  Q6_K: {
    ...SIGNED,
    group: 16,
    scale: 'f32',
    elements: 256,
    bytes: 210,
    // Each half of the block: four runs of 32 that share 64 bytes of low halves and 32 bytes of upper pairs.
    read({ bytes, view }, at, { codes, scales, code, group }) {
      const d = f16ToNumber(view.getUint16(at + 208, true));
      for (let i = 0; i < 16; i++) scales[group + i] = d * view.getInt8(at + 192 + i);
      for (let half = 0; half < 2; half++) {
        const [low, high, to] = [at + half * 64, at + 128 + half * 32, code + half * 128];
        for (let i = 0; i < 32; i++) {
          const [first, second, upper] = [bytes[low + i]!, bytes[low + 32 + i]!, bytes[high + i]!];
          codes[to + i] = ((first & 15) | ((upper & 3) << 4)) + Q6_SHIFT;
          codes[to + 32 + i] = ((second & 15) | ((upper & 12) << 2)) + Q6_SHIFT;
          codes[to + 64 + i] = ((first >> 4) | (upper & 48)) + Q6_SHIFT;
          codes[to + 96 + i] = ((second >> 4) | ((upper & 192) >> 2)) + Q6_SHIFT;
        }
      }
    },
  },
} satisfies Record<string, BlockFormat>;

export type GgmlFormat = keyof typeof FORMATS;

/** True for the formats that load, by the name ggml gives them. */
export function isGgmlFormat(name: string): name is GgmlFormat {
  return Object.hasOwn(FORMATS, name);
}

/** Elements and bytes of a block. */
export function ggmlBlock(format: GgmlFormat): { readonly elements: number; readonly bytes: number } {
  return FORMATS[format];
}

export function ggmlCodec(name: GgmlFormat): Codec {
  const format: BlockFormat = FORMATS[name];
  const { bits, group, affine, zero, scale, elements, bytes } = format;
  const groups = elements / group;
  return {
    encoding: { kind: 'quantized', bits, group, affine, zero, scale },
    rowBytes: (columns) => [(columns / elements) * bytes],
    decode([part], rows, columns) {
      const blocks = (rows * columns) / elements;
      const source = { bytes: part!, view: new DataView(part!.buffer) };
      const make = () => (scale === 'f16' ? new Uint16Array(blocks * groups) : new Float32Array(blocks * groups));
      const [scales, biases, codes] = [make(), make(), new Uint8Array((rows * columns * bits) / 8)];
      const out = { codes, scales, biases, code: 0, group: 0 };
      for (let i = 0; i < blocks; i++) {
        out.code = (i * elements * bits) / 8;
        out.group = i * groups;
        format.read(source, i * bytes, out);
      }
      return { codes, scales, biases: affine ? biases : null };
    },
  };
}
