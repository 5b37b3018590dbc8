/** Reference decoders of checkpoints, and of random weights. */

import type { CheckpointSource } from '../../src/checkpoint/index.ts';
import { dequantize, openCheckpoint, streamTensors } from '../../src/checkpoint/index.ts';
import { decodeWeights } from '../../src/numbers.ts';
import { type ReferenceConfig, ReferenceDecoder, type ReferenceWeights, referenceShapes } from './decoder.ts';

/** The decoder of a checkpoint, its weights as stored and widened to float64. */
export async function loadReference(
  source: CheckpointSource,
  stored?: ReferenceConfig['stored'],
): Promise<ReferenceDecoder> {
  const { model: config, weights: index } = await openCheckpoint(source);
  const weights: ReferenceWeights = new Map();
  for await (const chunk of streamTensors(source, config, { index })) {
    const { name, shape } = chunk;
    const size = shape.reduce((a, b) => a * b, 1);
    const tensor = weights.get(name) ?? { shape: [...shape], data: new Float64Array(size) };
    weights.set(name, tensor);
    if (chunk.kind === 'quantized') tensor.data.set(dequantize(chunk), chunk.firstRow * chunk.shape[1]);
    else tensor.data.set(decodeWeights(chunk.bytes, chunk.dtype), chunk.start / (chunk.dtype === 'F32' ? 4 : 2));
  }
  return new ReferenceDecoder({ ...config, ...(stored ? { stored } : {}) }, weights);
}

/** Weights for a configuration: matrices uniform in ±√(3 / inputs), norms in 1 ± 0.2. The same seed, the same weights. */
export function randomWeights(config: ReferenceConfig, seed: number): ReferenceWeights {
  let state = seed >>> 0;
  const draw = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
  const weights: ReferenceWeights = new Map();
  for (const [name, shape] of referenceShapes(config)) {
    const inputs = shape[1];
    const size = shape[0]! * (inputs ?? 1);
    const value = inputs === undefined ? () => 1 + 0.2 * draw() : () => Math.sqrt(3 / inputs) * draw();
    weights.set(name, { shape, data: Float64Array.from({ length: size }, value) });
  }
  return weights;
}

/** ‖a − b‖ / ‖b‖. */
export function relativeError(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, norm] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}
