/** How weights lie in GPU memory, by how they are stored: quantised ones stay so, all others are kept in 16 bits. */
import type { WeightPrecision } from '../cost/shapes.ts';
import type { StoredAs } from './types.ts';

const LOADED: Readonly<Record<StoredAs, WeightPrecision>> = {
  bf16: 'f16',
  f16: 'f16',
  q0f16: 'f16',
  q0f32: 'f16',
  q4f16_1: 'int4',
  q4f32_1: 'int4',
  // Three bits are widened to what the kernels read.
  q3f16_1: 'int4',
};

export function loadedAs(stored: StoredAs): WeightPrecision {
  return LOADED[stored];
}
