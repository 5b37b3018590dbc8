/** What a checkpoint's weights take in GPU memory, which for GGUF's finer formats is more than in their file. */
import { commonEncoding, type MatrixEncoding } from './quantized.ts';
import type { WeightIndex } from './weight-index.ts';

/** Bits that an element takes, scales and biases included; floats are kept in 16. */
function elementBits(encoding: MatrixEncoding): number {
  if (encoding.kind === 'float') return 16;
  const { bits, group, affine, scale } = encoding;
  return bits + ((scale === 'f32' ? 32 : 16) * (affine ? 2 : 1)) / group;
}

/** Tensors that lie in one matrix there, and so in one encoding, have one name. */
function matrixOf(name: string): string {
  return name
    .replace(/\.experts\.\d+\./, '.experts.')
    .replace(/\.[qkv]_proj\.weight$/, '.qkv')
    .replace(/\.(gate|up)_proj\.weight$/, '.gate_up');
}

/** Bytes, without the few that rounding up each matrix takes. Vectors are f32. */
export function loadedBytes({ tensors, encodings }: WeightIndex): number {
  const matrices = new Map<string, { elements: number; encodings: MatrixEncoding[] }>();
  let bytes = 0;
  for (const [name, { rows, columns }] of tensors) {
    const encoding = encodings.get(name);
    if (columns === null || !encoding) {
      bytes += rows * 4;
      continue;
    }
    const matrix = matrices.get(matrixOf(name)) ?? { elements: 0, encodings: [] };
    matrix.elements += rows * columns;
    matrix.encodings.push(encoding);
    matrices.set(matrixOf(name), matrix);
  }
  for (const matrix of matrices.values())
    bytes += (matrix.elements * elementBits(commonEncoding(matrix.encodings))) / 8;
  return Math.ceil(bytes);
}
