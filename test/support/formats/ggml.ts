/** Random blocks of ggml's formats, packed as ggml's own quantisers pack them (src/ggml-quants.c), and their values. */
import { f16ToNumber, numberToF16 } from '../../../src/numbers.ts';
import type { Encoded } from './floats.ts';
import type { Draw } from './random.ts';

export type BlockFormat = 'Q4_0' | 'Q4_1' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K';

interface Block {
  bytes: number[];
  values: number[];
}

const codes = (count: number, below: number, draw: Draw) => Array.from({ length: count }, () => draw.below(below));

/** A number as f16: its value and its two bytes. */
function half(value: number): { value: number; bytes: number[] } {
  const bits = numberToF16(value);
  return { value: f16ToNumber(bits), bytes: [bits & 255, bits >> 8] };
}

/** Blocks of 32 with 4 or 5 bits: element j and j + 16 share a byte, fifth bits go into a word of their own. */
function small(bits: 4 | 5, affine: boolean, reach: number, draw: Draw): Block {
  const levels = 2 ** bits;
  const q = codes(32, levels, draw);
  const d = half((2 * reach * (1 + 0.2 * draw.signed())) / levels);
  const m = half(-reach);
  const nibbles = Array.from({ length: 16 }, (_, j) => (q[j]! % 16) + 16 * (q[j + 16]! % 16));
  const fifth = [0, 0, 0, 0];
  for (const [j, code] of q.entries()) if (code >= 16) fifth[j >> 3]! += 2 ** (j & 7);
  return {
    bytes: [...d.bytes, ...(affine ? m.bytes : []), ...(bits === 5 ? fifth : []), ...nibbles],
    values: q.map((code) => (affine ? code * d.value + m.value : (code - levels / 2) * d.value)),
  };
}

function q8(reach: number, draw: Draw): Block {
  const q = codes(32, 255, draw).map((code) => code - 127);
  const d = half(reach / 127);
  return { bytes: [...d.bytes, ...q.map((code) => code & 255)], values: q.map((code) => code * d.value) };
}

/** Blocks of 256 with 6-bit scales and minima. */
function superBlock(bits: 4 | 5, reach: number, draw: Draw): Block {
  const levels = 2 ** bits;
  const q = codes(256, levels, draw);
  const [ls, lm] = [codes(8, 64, draw), codes(8, 64, draw)];
  const d = half((2 * reach) / levels / 40);
  const m = half(reach / 32);
  const packed = new Array<number>(12).fill(0);
  for (let j = 0; j < 8; j++) {
    if (j < 4) {
      packed[j] = ls[j]!;
      packed[j + 4] = lm[j]!;
    } else {
      packed[j + 4] = (ls[j]! & 15) | ((lm[j]! & 15) << 4);
      packed[j - 4]! |= (ls[j]! >> 4) << 6;
      packed[j]! |= (lm[j]! >> 4) << 6;
    }
  }
  const [low, high] = [[] as number[], new Array<number>(32).fill(0)];
  for (let n = 0; n < 256; n += 64) {
    for (let j = 0; j < 32; j++) {
      const [one, two] = [q[n + j]!, q[n + j + 32]!];
      low.push((one % 16) + 16 * (two % 16));
      if (one > 15) high[j]! |= 1 << (n / 32);
      if (two > 15) high[j]! |= 2 << (n / 32);
    }
  }
  return {
    bytes: [...d.bytes, ...m.bytes, ...packed, ...(bits === 5 ? high : []), ...low],
    values: q.map((code, i) => d.value * ls[i >> 5]! * code - m.value * lm[i >> 5]!),
  };
}

function q6k(reach: number, draw: Draw): Block {
  const q = codes(256, 64, draw);
  const scales = codes(16, 256, draw).map((code) => code - 128);
  const d = half(reach / 32 / 90);
  const [low, high] = [[] as number[], [] as number[]];
  for (let j = 0; j < 256; j += 128) {
    const at = (l: number) => q[j + l]!;
    for (let l = 0; l < 64; l++) low.push((at(l) & 15) | ((at(l + 64) & 15) << 4));
    for (let l = 0; l < 32; l++)
      high.push((at(l) >> 4) | ((at(l + 32) >> 4) << 2) | ((at(l + 64) >> 4) << 4) | ((at(l + 96) >> 4) << 6));
  }
  return {
    bytes: [...low, ...high, ...scales.map((code) => code & 255), ...d.bytes],
    values: q.map((code, i) => d.value * scales[i >> 4]! * (code - 32)),
  };
}

const MAKERS: Record<BlockFormat, (reach: number, draw: Draw) => Block> = {
  Q4_0: (reach, draw) => small(4, false, reach, draw),
  Q4_1: (reach, draw) => small(4, true, reach, draw),
  Q5_0: (reach, draw) => small(5, false, reach, draw),
  Q5_1: (reach, draw) => small(5, true, reach, draw),
  Q8_0: q8,
  Q4_K: (reach, draw) => superBlock(4, reach, draw),
  Q5_K: (reach, draw) => superBlock(5, reach, draw),
  Q6_K: q6k,
};

/** A matrix of random blocks, of variance about 1 / columns. */
export function randomBlocks(format: BlockFormat, rows: number, columns: number, draw: Draw): Encoded {
  const bytes: number[] = [];
  const values = new Float64Array(rows * columns);
  for (let at = 0; at < values.length; ) {
    const block = MAKERS[format](Math.sqrt(3 / columns), draw);
    bytes.push(...block.bytes);
    values.set(block.values, at);
    at += block.values.length;
  }
  return { bytes: Uint8Array.from(bytes), values };
}
