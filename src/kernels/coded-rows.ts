/** Rows of a checkpoint that are quantised already, and their scales as the words of the packed layout. */
import type { QuantizedFormat } from './matrix.ts';

/** Whole rows of a tensor that is quantised already, in the matrix's own format. */
export interface CodedRows {
  readonly firstRow: number;
  readonly rows: number;
  /** [rows][K · bits / 8], the lowest k first and in the lowest bits. */
  readonly codes: Uint8Array;
  /** [rows][K / group]: bits of f16, or f32. */
  readonly scales: Uint16Array | Float32Array;
  /** Like `scales`, where and only where the format is affine. */
  readonly biases: Uint16Array | Float32Array | null;
}

/** Scales and biases as words [rows][words], in the order of the packed layout. */
export function scaleRows(
  format: QuantizedFormat,
  rows: number,
  { scales, biases }: CodedRows,
): Uint32Array<ArrayBuffer> {
  const groups = scales.length / rows;
  if (scales instanceof Float32Array) {
    const words = new Uint32Array(rows * groups * (format.affine ? 2 : 1));
    const bits = new Uint32Array(scales.buffer, scales.byteOffset, scales.length);
    if (!(biases instanceof Float32Array)) words.set(bits);
    else {
      const more = new Uint32Array(biases.buffer, biases.byteOffset, biases.length);
      for (let i = 0; i < bits.length; i++) {
        words[2 * i] = bits[i]!;
        words[2 * i + 1] = more[i]!;
      }
    }
    return words;
  }
  if (biases) return Uint32Array.from(scales, (scale, i) => scale | (biases[i]! << 16));
  const width = Math.ceil(groups / 2);
  const words = new Uint32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let group = 0; group < groups; group++) {
      words[row * width + (group >> 1)]! |= scales[row * groups + group]! << (16 * (group & 1));
    }
  }
  return words;
}
