/** Checks of the RMSNorm on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { RmsNorm } from '../../../src/kernels/norm.ts';
import {
  assert,
  assertClose,
  assertSameBits,
  downloadFloats,
  freeStep,
  randoms,
  runStep,
  seeded,
  stepBuffers,
  stepShape,
  upload,
} from './linear-support.ts';

export interface NormCase {
  hidden: number;
  rows: number;
  epsilon: number;
  /** Size of the numbers: small ones let epsilon count. */
  scale: number;
  seed: number;
}

/** Plain and gathered against float64; a gathered row has the bits of the plain one, whatever else runs. */
export async function checkNorm(gpu: Gpu, { hidden, rows, epsilon, scale, seed }: NormCase): Promise<void> {
  const what = `norm of ${rows}×${hidden}, scale ${scale}, seed ${seed}`;
  const random = seeded(seed);
  const x = randoms(random, rows * hidden, scale);
  const gain = randoms(random, hidden, 2);
  const picked = Uint32Array.from({ length: Math.ceil(rows / 2) }, () => Math.floor(random() * rows));
  const step = stepBuffers(gpu, rows);
  gpu.device.queue.writeBuffer(step.logitRows, 0, picked);
  const buffers = {
    x: upload(gpu, 'x', x),
    gain: upload(gpu, 'gain', gain),
    out: gpu.buffer('h', (rows + 1) * hidden * 4),
    step,
  };

  const plain = (await RmsNorm.create(gpu, { hidden, epsilon, gather: false })).bind(gpu, buffers);
  const cost = runStep(gpu, step, stepShape(rows), plain);
  assert(cost.other.bytes === (2 * rows + 1) * hidden * 4, `${what}: ${cost.other.bytes} bytes`);
  const all = await downloadFloats(gpu, buffers.out, (rows + 1) * hidden);
  assertClose(all.subarray(0, rows * hidden), reference(x, gain, hidden, epsilon), 1e-6, what);
  assert(
    all.subarray(rows * hidden).every((value) => value === 0),
    `${what}: wrote behind the last row`,
  );

  runStep(gpu, step, stepShape(1), plain);
  assertSameBits(
    await downloadFloats(gpu, buffers.out, rows * hidden),
    all.subarray(0, rows * hidden),
    `${what}, one row`,
  );

  const gathered = (await RmsNorm.create(gpu, { hidden, epsilon, gather: true })).bind(gpu, buffers);
  runStep(gpu, step, stepShape(rows, picked.length), gathered);
  const some = await downloadFloats(gpu, buffers.out, picked.length * hidden);
  for (const [i, row] of picked.entries()) {
    const actual = some.subarray(i * hidden, (i + 1) * hidden);
    assertSameBits(actual, all.subarray(row * hidden, (row + 1) * hidden), `${what}, gathered ${row}`);
  }
  freeStep(gpu, step);
  for (const buffer of [buffers.x, buffers.gain, buffers.out]) gpu.free(buffer);
}

function reference(x: Float32Array, gain: Float32Array, hidden: number, epsilon: number): Float64Array {
  const out = new Float64Array(x.length);
  for (let from = 0; from < x.length; from += hidden) {
    let squares = 0;
    for (let i = 0; i < hidden; i++) squares += x[from + i]! ** 2;
    const rms = Math.sqrt(squares / hidden + epsilon);
    for (let i = 0; i < hidden; i++) out[from + i] = (x[from + i]! / rms) * gain[i]!;
  }
  return out;
}

export async function checkNormAll(gpu: Gpu): Promise<void> {
  await checkNorm(gpu, { hidden: 128, rows: 9, epsilon: 1e-6, scale: 3, seed: 1 });
  await checkNorm(gpu, { hidden: 4, rows: 3, epsilon: 1e-5, scale: 1, seed: 2 });
  await checkNorm(gpu, { hidden: 1028, rows: 2, epsilon: 1e-6, scale: 1e-3, seed: 3 });
}
