/** What must hold of QK-norm, RoPE and the append to the cache, as checks that any host with a `Gpu` can run. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { type KvPrecision, kvHeadBytes } from '../../../src/kernels/precision.ts';
import { plainRotation, RopeAppend } from '../../../src/kernels/rope.ts';
import { createStepBuffers, NO_WRITE, PAGE_SIZE } from '../../../src/kernels/step.ts';
import { submit } from './attention-support.ts';
import { CacheMemory, type CacheShape } from './cache-memory.ts';
import {
  assert,
  assertClose,
  assertSameBits,
  download,
  downloadFloats,
  freeStep,
  randoms,
  seeded,
  stepShape,
  upload,
} from './linear-support.ts';

export interface RopeCase extends CacheShape {
  qkNorm: boolean;
  theta: number;
  maxContext: number;
  /** Position and place in the cache of each row; null: not to be written. */
  rows: readonly { position: number; kvSlot: number | null }[];
  seed: number;
}

const EPSILON = 1e-6;

/** RMS norm with a gain (or none), then rotation by position · theta^(−2i/D) of the pairs (i, i + D/2), in float64. */
export function normAndTurn(x: ArrayLike<number>, gain: ArrayLike<number> | null, theta: number, position: number) {
  const size = x.length;
  const half = size / 2;
  let squares = 0;
  for (let i = 0; i < size; i++) squares += x[i]! ** 2;
  const scale = 1 / Math.sqrt(squares / size + EPSILON);
  const normed = Float64Array.from(x, (value, i) => (gain ? value * scale * gain[i]! : value));
  return normed.map((value, i) => {
    const angle = position * theta ** ((-2 * (i % half)) / size);
    const other = i < half ? -normed[i + half]! : normed[i - half]!;
    return value * Math.cos(angle) + other * Math.sin(angle);
  });
}

/** q, keys and values of random rows against float64; nothing else in the cache is touched; a row alone has the same bits. */
export async function checkRopeAppend(gpu: Gpu, test: RopeCase): Promise<void> {
  const { heads, kvHeads, headDim, precision, qkNorm, theta, maxContext, rows } = test;
  const name = `${heads}/${kvHeads} heads of ${headDim} in ${precision}${qkNorm ? ', QK-norm' : ''}`;
  const random = seeded(test.seed);
  const width = (heads + 2 * kvHeads) * headDim;
  const qkv = randoms(random, rows.length * width, 2);
  const gains = qkNorm ? [randoms(random, headDim, 1.5), randoms(random, headDim, 1.5)] : null;
  const pages = 1 + Math.max(...rows.map(({ kvSlot }) => Math.floor((kvSlot ?? 0) / PAGE_SIZE)));
  const memory = { keys: new CacheMemory('keys', test, pages), values: new CacheMemory('values', test, pages) };

  const rotation = plainRotation(headDim, theta);
  const options = { heads, kvHeads, headDim, rotation, maxContext, qkNormEpsilon: qkNorm ? EPSILON : null };
  const append = await RopeAppend.create(gpu, options, { weights: 'f32', kv: precision });
  const limits = {
    maxRows: rows.length,
    maxItems: 1,
    maxLogitRows: 1,
    maxSamples: 1,
    slots: 1,
    maxPagesPerLane: 1,
    maxListEntries: 0,
    maxScores: 0,
  };
  const step = createStepBuffers(gpu, limits);
  const buffers = {
    qkv: gpu.buffer('qkv', qkv.byteLength),
    q: gpu.buffer('q', rows.length * heads * headDim * 4),
    keys: upload(gpu, 'keys', memory.keys.bytes),
    values: upload(gpu, 'values', memory.values.bytes),
    ...(gains ? { gains: upload(gpu, 'gains', Float32Array.of(...gains[0]!, ...gains[1]!)) } : {}),
  };
  const bound = append.bind(gpu, { ...buffers, step });
  /** Runs the rows [from, to); returns their q. */
  const run = (from: number, to: number) => {
    const { queue } = gpu.device;
    const words = rows.slice(from, to).flatMap(({ position, kvSlot }) => [0, position, 0, kvSlot ?? NO_WRITE]);
    queue.writeBuffer(step.rows, 0, new Uint32Array(words));
    queue.writeBuffer(step.header, 0, new Uint32Array([to - from, 0, 0, 0, 0, 0, 0, 0]));
    queue.writeBuffer(buffers.qkv, 0, qkv, from * width, (to - from) * width);
    const costs = submit(gpu, (recorder) => bound.record(recorder, stepShape(to - from))).total();
    const written = (to - from) * 2 * kvHeads * kvHeadBytes(headDim, precision);
    assert(costs.kvWrite.bytes === written, `${name}: declares ${costs.kvWrite.bytes} bytes written, not ${written}`);
    assert(costs.other.bytes > 0 && costs.other.flops > 0, `${name}: declares no cost`);
    return downloadFloats(gpu, buffers.q, (to - from) * heads * headDim);
  };

  try {
    const q = await run(0, rows.length);
    const untouched = { keys: memory.keys.bytes.slice(), values: memory.values.bytes.slice() };
    const { length } = memory.keys.bytes;
    memory.keys.bytes.set(new Uint8Array(await download(gpu, buffers.keys, length)));
    memory.values.bytes.set(new Uint8Array(await download(gpu, buffers.values, length)));
    const written = { keys: memory.keys.bytes.slice(), values: memory.values.bytes.slice() };
    for (const [row, { position, kvSlot }] of rows.entries()) {
      const head = (index: number) => qkv.subarray(row * width + index * headDim, row * width + (index + 1) * headDim);
      for (let h = 0; h < heads; h++) {
        const at = (row * heads + h) * headDim;
        const expected = normAndTurn(head(h), gains?.[0] ?? null, theta, position).map((v) => v / Math.sqrt(headDim));
        assertClose(q.subarray(at, at + headDim), expected, 3e-6, `${name}: q of position ${position}`);
      }
      if (kvSlot === null) continue;
      const [page, offset] = [Math.floor(kvSlot / PAGE_SIZE), kvSlot % PAGE_SIZE];
      for (let h = 0; h < kvHeads; h++) {
        const key = normAndTurn(head(heads + h), gains?.[1] ?? null, theta, position);
        const place = [page, offset, h] as const;
        assertStored(memory.keys.read(...place), key, precision, `${name}: key of position ${position}`);
        const value = head(heads + kvHeads + h);
        assertStored(memory.values.read(...place), value, precision, `${name}: value of position ${position}`);
        memory.keys.erase(...place);
        memory.values.erase(...place);
      }
    }
    // Without what the rows wrote, everything is as it was.
    assert(
      memory.keys.bytes.every((byte, i) => byte === untouched.keys[i]),
      `${name}: another key was touched`,
    );
    assert(
      memory.values.bytes.every((byte, i) => byte === untouched.values[i]),
      `${name}: another value was touched`,
    );

    const last = rows.length - 1;
    assertSameBits(await run(last, last + 1), q.subarray(last * heads * headDim), `${name}: a row alone`);
    for (const kind of ['keys', 'values'] as const) {
      const again = new Uint8Array(await download(gpu, buffers[kind], length));
      assert(
        again.every((byte, i) => byte === written[kind][i]),
        `${name}: ${kind} of a row written again`,
      );
    }
  } finally {
    append.dispose();
    freeStep(gpu, step);
    for (const buffer of Object.values(buffers)) gpu.free(buffer);
  }
}

/** A head as it was read back, near what it should be: within rounding to the cache's precision. */
function assertStored(
  { numbers, scale }: { numbers: Float32Array; scale: number },
  expected: ArrayLike<number>,
  precision: KvPrecision,
  what: string,
): void {
  const largest = Array.from(expected).reduce((top, x) => Math.max(top, Math.abs(x)), 0);
  if (precision === 'int8') {
    assert(Math.abs(scale / (largest / 127) - 1) < 3e-6, `${what}: scale ${scale}, not ${largest / 127}`);
    assert(Math.max(...numbers.map(Math.abs)) > 126.9 * scale, `${what}: the largest code is not 127`);
  }
  // Half a step of the format, and what f32 arithmetic loses.
  const step = precision === 'int8' ? largest / 127 : precision === 'f16' ? largest * 2 ** -10 : 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(numbers[i]! - expected[i]!);
    assert(difference <= step / 2 + 3e-6 * largest, `${what}: ${numbers[i]} at ${i}, not ${expected[i]}`);
  }
}

/** Rows at random positions below `maxContext`, in random places of a small cache; every fifth is not to be written. */
export function randomRows(count: number, maxContext: number, seed: number): RopeCase['rows'] {
  const random = seeded(seed);
  const slots = Array.from({ length: Math.ceil((count + 5) / PAGE_SIZE) * PAGE_SIZE }, (_, slot) => slot);
  return Array.from({ length: count }, (_, i) => ({
    position: i === 0 ? maxContext - 1 : Math.floor(random() * maxContext),
    kvSlot: i % 5 === 4 ? null : slots.splice(Math.floor(random() * slots.length), 1)[0]!,
  }));
}

/** Two shapes in one precision: what a browser runs. */
export async function checkRopeAppendShapes(gpu: Gpu, precision: CacheShape['precision']): Promise<void> {
  const common = { precision, theta: 1e4, maxContext: 1000, seed: 1, rows: randomRows(12, 1000, 1) };
  await checkRopeAppend(gpu, { ...common, heads: 4, kvHeads: 2, headDim: 64, qkNorm: true });
  await checkRopeAppend(gpu, { ...common, heads: 2, kvHeads: 1, headDim: 24, qkNorm: false });
}
