/** Rotary embeddings by the definitions of transformers' `modeling_rope_utils.py`, in float64. Written apart from `src`. */

/** As the config names them; `maxContext`: what longrope decides by. */
export interface ReferenceRope {
  headDim: number;
  ropeTheta: number;
  /** Elements of a head that are rotated; default: all. */
  rotaryDim?: number;
  ropeScaling?: ReferenceScaling | null;
  maxContext?: number;
}

export type ReferenceScaling =
  | { type: 'linear'; factor: number }
  | { type: 'llama3'; factor: number; lowFreqFactor: number; highFreqFactor: number; originalMaxContext: number }
  | {
      type: 'yarn';
      factor: number;
      originalMaxContext: number;
      betaFast: number;
      betaSlow: number;
      truncate: boolean;
      attentionFactor: number;
    }
  | {
      type: 'longrope';
      shortFactors: readonly number[];
      longFactors: readonly number[];
      originalMaxContext: number;
      attentionFactor: number;
    };

/** Radians a position of each rotated pair. */
export function inverseFrequencies({
  headDim,
  ropeTheta,
  rotaryDim,
  ropeScaling,
  maxContext,
}: ReferenceRope): number[] {
  const dim = rotaryDim ?? headDim;
  const plain = Array.from({ length: dim / 2 }, (_, i) => 1 / ropeTheta ** ((2 * i) / dim));
  if (!ropeScaling) return plain;
  if (ropeScaling.type === 'linear') return plain.map((frequency) => frequency / ropeScaling.factor);
  if (ropeScaling.type === 'longrope') {
    const long = (maxContext ?? 0) > ropeScaling.originalMaxContext;
    const extension = long ? ropeScaling.longFactors : ropeScaling.shortFactors;
    return plain.map((_, i) => 1 / (extension[i]! * ropeTheta ** ((2 * i) / dim)));
  }
  if (ropeScaling.type === 'llama3') {
    const { factor, lowFreqFactor, highFreqFactor, originalMaxContext: old } = ropeScaling;
    return plain.map((frequency) => {
      const wavelength = (2 * Math.PI) / frequency;
      if (wavelength > old / lowFreqFactor) return frequency / factor;
      if (wavelength < old / highFreqFactor) return frequency;
      const smooth = (old / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
      return ((1 - smooth) * frequency) / factor + smooth * frequency;
    });
  }
  const { factor, originalMaxContext, betaFast, betaSlow, truncate } = ropeScaling;
  const correction = (rotations: number) =>
    (dim * Math.log(originalMaxContext / (rotations * 2 * Math.PI))) / (2 * Math.log(ropeTheta));
  let low = correction(betaFast);
  let high = correction(betaSlow);
  if (truncate) [low, high] = [Math.floor(low), Math.ceil(high)];
  low = Math.max(low, 0);
  high = Math.min(high, dim - 1);
  if (low === high) high += 0.001;
  return plain.map((frequency, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / (high - low)));
    const extrapolated = 1 - ramp;
    return (frequency / factor) * (1 - extrapolated) + frequency * extrapolated;
  });
}

const known = new WeakMap<ReferenceRope, number[]>();

/** Rotates the pairs (i, i + d/2) of a head's first d elements; the others stay. */
export function rotate(x: Float64Array, position: number, rope: ReferenceRope): Float64Array {
  const frequencies = known.get(rope) ?? inverseFrequencies(rope);
  known.set(rope, frequencies);
  const half = frequencies.length;
  const scaling = rope.ropeScaling;
  const magnitude = scaling && 'attentionFactor' in scaling ? scaling.attentionFactor : 1;
  const out = Float64Array.from(x);
  for (let i = 0; i < half; i++) {
    const angle = position * frequencies[i]!;
    const [cos, sin] = [magnitude * Math.cos(angle), magnitude * Math.sin(angle)];
    out[i] = x[i]! * cos - x[i + half]! * sin;
    out[i + half] = x[i + half]! * cos + x[i]! * sin;
  }
  return out;
}
