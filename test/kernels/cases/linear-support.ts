/** What the checks of the linear kernels share: seeded numbers, GPU buffers in and out, one recorded step. */

import { type Gpu, USAGE } from '../../../src/gpu/index.ts';
import { SparseWork } from '../../../src/kernels/row-lists.ts';
import { createStepBuffers, type StepBuffers, StepRecorder, type StepShape } from '../../../src/kernels/step.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` f32 numbers in ±`scale`. */
export function randoms(random: () => number, count: number, scale = 1): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, () => (random() * 2 - 1) * scale);
}

/** The f16 nearest to `value`, ties to even, finite numbers saturating: by arithmetic, not by bits. */
export function nearestHalf(value: number): number {
  if (!Number.isFinite(value) || value === 0) return value;
  const magnitude = Math.abs(value);
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const unit = 2 ** (exponent - 10);
  const steps = magnitude / unit;
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return Math.sign(value) * Math.min(rounded * unit, 65504);
}

export function upload(gpu: Gpu, label: string, data: Float32Array | Uint32Array | Uint8Array): GPUBuffer {
  const buffer = gpu.buffer(label, data.byteLength, USAGE.storage);
  gpu.device.queue.writeBuffer(buffer, 0, data as Uint8Array<ArrayBuffer>);
  return buffer;
}

/** The first `bytes` bytes of a buffer. */
export async function download(gpu: Gpu, source: GPUBuffer, bytes: number): Promise<ArrayBuffer> {
  const staging = gpu.buffer('test read-back', bytes, 0x01 | 0x08);
  const encoder = gpu.device.createCommandEncoder();
  encoder.copyBufferToBuffer(source, 0, staging, 0, bytes);
  gpu.device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1, 0, bytes);
  const copy = staging.getMappedRange(0, bytes).slice(0);
  gpu.free(staging);
  gpu.throwIfFailed();
  return copy;
}

export async function downloadFloats(gpu: Gpu, source: GPUBuffer, count: number): Promise<Float32Array> {
  return new Float32Array(await download(gpu, source, count * 4));
}

export function stepShape(rows: number, logitRows = 0): StepShape {
  return {
    rows,
    logitRows,
    decodeRows: 0,
    decodeItems: 0,
    soloItems: 0,
    sharedTiles: 0,
    sharedItems: 0,
    sharedRows: 0,
    decodeTokens: 0,
    sparse: new SparseWork(),
    filledPages: 0,
    prefillTiles: 0,
    prefillPairs: 0,
    prefillTokens: 0,
    samples: 0,
  };
}

export function stepBuffers(gpu: Gpu, maxRows: number, maxLogitRows = maxRows): StepBuffers {
  return createStepBuffers(gpu, {
    maxRows,
    maxItems: 1,
    maxLogitRows,
    maxSamples: 1,
    slots: 8,
    maxPagesPerLane: 1,
    maxListEntries: 0,
    maxScores: 0,
  });
}

export function freeStep(gpu: Gpu, step: StepBuffers): void {
  for (const buffer of Object.values(step)) gpu.free(buffer);
}

/** Writes the counts, records `op`, submits. Returns FLOPs and bytes by class. */
export function runStep(
  gpu: Gpu,
  step: StepBuffers,
  shape: StepShape,
  op: { record(step: StepRecorder, shape: StepShape): void },
): ReturnType<StepRecorder['costs']['total']> {
  gpu.device.queue.writeBuffer(step.header, 0, new Uint32Array([shape.rows, 0, 0, 0, shape.logitRows, 0, 0, 0]));
  const recorder = new StepRecorder(gpu);
  recorder.begin('test');
  op.record(recorder, shape);
  gpu.device.queue.submit([recorder.recorder.finish()]);
  return recorder.costs.total();
}

/** ‖actual − expected‖ / ‖expected‖. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let difference = 0;
  let norm = 0;
  for (let i = 0; i < expected.length; i++) {
    difference += (actual[i]! - expected[i]!) ** 2;
    norm += expected[i]! ** 2;
  }
  return Math.sqrt(difference / norm);
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** Throws unless `actual` is near `expected` (‖a−b‖/‖b‖ ≤ `tolerance`) and `expected` is not trivially zero. */
export function assertClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  assert(expected.length > 0 && Array.from(expected).some((value) => value !== 0), `${what}: nothing to compare`);
  const error = relativeError(actual, expected);
  assert(error <= tolerance, `${what}: relative error ${error} exceeds ${tolerance}`);
}

/** Throws unless two runs of numbers have the same bits. */
export function assertSameBits(actual: Float32Array, expected: Float32Array, what: string): void {
  const a = new Uint32Array(actual.buffer, actual.byteOffset, actual.length);
  const b = new Uint32Array(expected.buffer, expected.byteOffset, expected.length);
  assert(a.length === b.length, `${what}: ${a.length} numbers, not ${b.length}`);
  for (let i = 0; i < a.length; i++) {
    assert(a[i] === b[i], `${what}: bits differ at ${i}: ${actual[i]} and ${expected[i]}`);
  }
}
