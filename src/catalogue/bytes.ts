/** How many bytes a checkpoint of a shape takes, by how its weights are written down. */
import { type ModelShape, parameterCounts } from '../cost/shapes.ts';
import type { StoredAs } from './types.ts';

/**
 * Bits of a matrix's element. MLC's 4-bit groups are 32 codes and a scale of 16 bits, its 3-bit ones 40 codes in four words
 * and a scale; what it computes in f32 it stores as bfloat16 all the same.
 */
const BITS: Readonly<Record<StoredAs, number>> = {
  bf16: 16,
  f16: 16,
  q0f16: 16,
  q0f32: 16,
  q4f16_1: 4 + 16 / 32,
  q4f32_1: 4 + 16 / 32,
  q3f16_1: 32 / 10 + 16 / 40,
};

/** Gains of norms, biases and the like, which nobody quantises: elements. */
function vectors(shape: ModelShape): number {
  const { layers, hiddenSize, heads, kvHeads, headDim } = shape;
  const norms = 2 * hiddenSize + (shape.qkNorm ? 2 * headDim : 0);
  const biases = shape.qkvBias ? headDim * (heads + 2 * kvHeads) : 0;
  return layers * (norms + biases) + hiddenSize;
}

/** Bytes of all weights, without the few that files take for their headers. */
export function storedBytes(shape: ModelShape, stored: StoredAs): number {
  const single = vectors(shape);
  const matrices = parameterCounts(shape).total - single;
  return Math.ceil((matrices * BITS[stored]) / 8 + 2 * single);
}
