/** Tensors of floats as bytes, with the values they stand for. */
import { bf16ToNumber, f16ToNumber, numberToBf16, numberToF16, type WeightDType } from '../../../src/numbers.ts';
import type { Group } from './layout.ts';
import { rowsOf } from './layout.ts';
import type { Draw } from './random.ts';

export interface Encoded {
  bytes: Uint8Array;
  values: Float64Array;
}

/** Numbers as bytes of a type, and as what those bytes say. */
export function floatBytes(numbers: ArrayLike<number>, dtype: WeightDType): Encoded {
  if (dtype === 'F32') {
    const data = Float32Array.from(numbers);
    return { bytes: new Uint8Array(data.buffer), values: Float64Array.from(data) };
  }
  const bits = Uint16Array.from(numbers, dtype === 'F16' ? numberToF16 : numberToBf16);
  return {
    bytes: new Uint8Array(bits.buffer),
    values: Float64Array.from(bits, dtype === 'F16' ? f16ToNumber : bf16ToNumber),
  };
}

/** Random floats for a group: gains near 1, biases near 0, matrices of variance 1 / columns. */
export function randomFloats(group: Group, draw: Draw, dtype: WeightDType): Encoded {
  const size = rowsOf(group) * (group.columns ?? 1);
  const bias = group.rows[0]![0].endsWith('.bias');
  const spread = group.columns === null ? 0.2 : Math.sqrt(3 / group.columns);
  const centre = group.columns === null && !bias ? 1 : 0;
  return floatBytes(
    Float64Array.from({ length: size }, () => centre + spread * draw.signed()),
    dtype,
  );
}
