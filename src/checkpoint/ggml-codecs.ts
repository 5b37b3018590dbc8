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

/** Where a block writes: codes of its elements one a byte, and values for its groups. */
interface BlockOutput {
  readonly codes: Uint8Array;
  readonly scales: Uint16Array | Float32Array;
  readonly biases: Uint16Array | Float32Array;
}

interface BlockFormat extends Neutral {
  /** Elements in a block, and bytes it takes. */
  readonly elements: 32 | 256;
  readonly bytes: number;
  /** Reads the block that begins at byte `at`. */
  read(block: DataView, at: number, out: BlockOutput): void;
}

/** Codes of a block of 32: halves of 16 bytes from `at`, with a fifth bit from `high`. */
function halves(block: DataView, at: number, codes: Uint8Array, high = 0): void {
  for (let i = 0; i < 16; i++) {
    const byte = block.getUint8(at + i);
    codes[i] = (byte & 15) | (((high >>> i) & 1) << 4);
    codes[i + 16] = (byte >> 4) | (((high >>> (i + 16)) & 1) << 4);
  }
}

const shift = (codes: Uint8Array, by: number) => {
  for (let i = 0; i < codes.length; i++) codes[i]! += by;
};

/** Scale and minimum of group `j` of 8 among the 12 packed bytes of the K formats. */
function packedScale(block: DataView, at: number, j: number): [scale: number, minimum: number] {
  const byte = (i: number) => block.getUint8(at + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  return [(byte(j + 4) & 15) | ((byte(j - 4) >> 6) << 4), (byte(j + 4) >> 4) | ((byte(j) >> 6) << 4)];
}

/** Q4_K, and with fifth bits Q5_K: groups in pairs, of which 32 bytes hold one in the low halves, the other in the high. */
function kBlock(block: DataView, at: number, { codes, scales, biases }: BlockOutput, fifth: boolean): void {
  const d = f16ToNumber(block.getUint16(at, true));
  const m = f16ToNumber(block.getUint16(at + 2, true));
  const low = at + (fifth ? 48 : 16);
  for (let group = 0; group < 8; group++) {
    const [scale, minimum] = packedScale(block, at + 4, group);
    scales[group] = d * scale;
    biases[group] = -m * minimum;
    for (let i = 0; i < 32; i++) {
      const half = (block.getUint8(low + (group >> 1) * 32 + i) >> (4 * (group & 1))) & 15;
      codes[group * 32 + i] = half | (fifth ? ((block.getUint8(at + 16 + i) >> group) & 1) << 4 : 0);
    }
  }
}

const HALF_SCALE = { scale: 'f16', group: 32, elements: 32 } as const;
const SIGNED = { bits: 8, affine: false, zero: 128 } as const;
const AFFINE = { affine: true, zero: 0 } as const;

const FORMATS = {
  Q4_0: {
    ...HALF_SCALE,
    bits: 4,
    affine: false,
    zero: 8,
    bytes: 18,
    read(block, at, out) {
      out.scales[0] = block.getUint16(at, true);
      halves(block, at + 2, out.codes);
    },
  },
  Q4_1: {
    ...HALF_SCALE,
    ...AFFINE,
    bits: 4,
    bytes: 20,
    read(block, at, out) {
      out.scales[0] = block.getUint16(at, true);
      out.biases[0] = block.getUint16(at + 2, true);
      halves(block, at + 4, out.codes);
    },
  },
  Q5_0: {
    ...HALF_SCALE,
    ...SIGNED,
    bytes: 22,
    read(block, at, out) {
      out.scales[0] = block.getUint16(at, true);
      halves(block, at + 6, out.codes, block.getUint32(at + 2, true));
      shift(out.codes, 128 - 16);
    },
  },
  Q5_1: {
    ...HALF_SCALE,
    ...AFFINE,
    bits: 8,
    bytes: 24,
    read(block, at, out) {
      out.scales[0] = block.getUint16(at, true);
      out.biases[0] = block.getUint16(at + 2, true);
      halves(block, at + 8, out.codes, block.getUint32(at + 4, true));
    },
  },
  Q8_0: {
    ...HALF_SCALE,
    ...SIGNED,
    bytes: 34,
    read(block, at, out) {
      out.scales[0] = block.getUint16(at, true);
      for (let i = 0; i < 32; i++) out.codes[i] = block.getUint8(at + 2 + i) ^ 128;
    },
  },
  Q4_K: {
    ...AFFINE,
    bits: 4,
    group: 32,
    scale: 'f32',
    elements: 256,
    bytes: 144,
    read: (block, at, out) => kBlock(block, at, out, false),
  },
  Q5_K: {
    ...AFFINE,
    bits: 8,
    group: 32,
    scale: 'f32',
    elements: 256,
    bytes: 176,
    read: (block, at, out) => kBlock(block, at, out, true),
  },
  Q6_K: {
    ...SIGNED,
    group: 16,
    scale: 'f32',
    elements: 256,
    bytes: 210,
    read(block, at, { codes, scales }) {
      const d = f16ToNumber(block.getUint16(at + 208, true));
      for (let group = 0; group < 16; group++) scales[group] = d * block.getInt8(at + 192 + group);
      // Each half of the block: four runs of 32 that share 64 bytes of low halves and 32 bytes of upper pairs.
      for (let i = 0; i < 256; i++) {
        const [half, run, place] = [i >> 7, (i >> 5) & 3, i & 31];
        const low = block.getUint8(at + half * 64 + (run & 1) * 32 + place) >> (4 * (run >> 1));
        const high = block.getUint8(at + 128 + half * 32 + place) >> (2 * run);
        codes[i] = ((low & 15) | ((high & 3) << 4)) + 128 - 32;
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
    decode([source], rows, columns) {
      const blocks = (rows * columns) / elements;
      const view = new DataView(source!.buffer);
      const make = () => (scale === 'f16' ? new Uint16Array(blocks * groups) : new Float32Array(blocks * groups));
      const [scales, biases] = [make(), make()];
      const codes = new Uint8Array((rows * columns * bits) / 8);
      const own = new Uint8Array(elements);
      for (let i = 0; i < blocks; i++) {
        const out = {
          codes: own,
          scales: scales.subarray(i * groups, (i + 1) * groups),
          biases: biases.subarray(i * groups, (i + 1) * groups),
        };
        format.read(view, i * bytes, out);
        if (bits === 8) codes.set(own, i * elements);
        else for (let j = 0; j < elements; j += 2) codes[(i * elements + j) >> 1] = own[j]! | (own[j + 1]! << 4);
      }
      return { codes, scales, biases: affine ? biases : null };
    },
  };
}
