/** Checks of the matmul on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { Matmul, type MatmulShape, type MatmulTuning } from '../../../src/kernels/matmul.ts';
import { packedBytes, packedColumns, WeightPacker } from '../../../src/kernels/pack.ts';
import type { Precision } from '../../../src/kernels/precision.ts';
import {
  assert,
  assertClose,
  assertSameBits,
  downloadFloats,
  freeStep,
  nearestHalf,
  randoms,
  runStep,
  seeded,
  stepBuffers,
  stepShape,
  upload,
} from './linear-support.ts';

export interface MatmulCase extends Omit<MatmulShape, 'tuning'> {
  precision: Precision;
  seed: number;
  /** Tunings that must agree bit for bit; the first gives the result that is compared with float64. */
  tunings: readonly MatmulTuning[];
  /** Row counts; every row must have the same bits in each of them. */
  counts: readonly number[];
}

/** A layout with everything in it: slices, narrow threads, tiles of every height, the tiled variant from 20 rows. */
export const SLICED: MatmulTuning = {
  rowTiles: [1, 2, 4, 8, 16, 32],
  columns: 2,
  tallColumns: 2,
  threads: 16,
  maxSlices: 4,
  targetThreads: 1 << 20,
  tiledFrom: 20,
  tallTilesFrom: Number.POSITIVE_INFINITY,
};

/** The same sums, laid out otherwise. */
export const SLICED_SMALL: MatmulTuning = {
  ...SLICED,
  rowTiles: [1, 4, 8],
  columns: 4,
  tallColumns: 1,
  threads: 32,
  tiledFrom: Number.POSITIVE_INFINITY,
};
export const SLICED_TILED: MatmulTuning = { ...SLICED, rowTiles: [2], columns: 1, tiledFrom: 1, tallTilesFrom: 0 };

/**
 * Against float64, and bit for bit across row counts and tunings.
 * @throws Error on the first mismatch.
 */
export async function checkMatmul(gpu: Gpu, test: MatmulCase): Promise<void> {
  const { inputs: K, outputs: N, epilogue, bias, rows, precision, seed, tunings, counts } = test;
  const what = `matmul ${K}→${N} ${epilogue}${bias ? ' bias' : ''} ${rows} ${precision} seed ${seed}`;
  const random = seeded(seed);
  const most = Math.max(...counts);
  const width = epilogue === 'swiglu' ? N / 2 : N;
  const x = randoms(random, most * K);
  const w = randoms(random, N * K);
  const b = randoms(random, N);
  const residual = randoms(random, most * width);
  const expected = reference(test, most, x, precision === 'f16' ? w.map(nearestHalf) : w, b, residual);

  const packer = await WeightPacker.create(gpu, precision, 4096);
  const weights = gpu.buffer('weights', packedBytes(K, N, precision));
  const source = { dtype: 'F32', firstColumn: 0, columnStride: 1, elementOffset: 0 } as const;
  packer.write(weights, { inputs: K, columns: packedColumns(N) }, source, new Uint8Array(w.buffer));
  const xBuffer = upload(gpu, 'x', x);
  const biasBuffer = upload(gpu, 'bias', b);
  // A guard row behind the last: a kernel that writes past its rows is caught.
  const out = gpu.buffer('out', (most + 1) * width * 4);
  const step = stepBuffers(gpu, most);

  let first: Float32Array | null = null;
  for (const tuning of tunings) {
    const shape = { inputs: K, outputs: N, epilogue, bias, rows, tuning };
    const matmul = await Matmul.create(gpu, shape, { weights: precision, kv: 'f32' });
    const buffers = { x: xBuffer, weights, out, step, ...(bias ? { bias: biasBuffer } : {}) };
    const bound = matmul.bind(gpu, buffers);
    for (const count of [most, ...counts.filter((other) => other !== most)]) {
      gpu.device.queue.writeBuffer(out, 0, residual);
      gpu.device.queue.writeBuffer(out, count * width * 4, new Float32Array(width).fill(7));
      const cost = runStep(gpu, step, rows === 'rows' ? stepShape(count) : stepShape(0, count), bound);
      assert(cost.linear.flops === 2 * count * K * N, `${what}: ${cost.linear.flops} FLOPs for ${count} rows`);
      const actual = await downloadFloats(gpu, out, (count + 1) * width);
      if (first === null) {
        assertClose(actual.subarray(0, most * width), expected, 2e-6, what);
        first = actual.slice();
      }
      const variant = matmul.variant(count).kernel.label;
      assertSameBits(
        actual.subarray(0, count * width),
        first.subarray(0, count * width),
        `${what}, ${count} rows, ${variant}`,
      );
      assert(
        actual.subarray(count * width).every((value) => value === 7),
        `${what}: ${variant} wrote behind row ${count}`,
      );
    }
  }
  packer.dispose();
  freeStep(gpu, step);
  for (const buffer of [weights, xBuffer, biasBuffer, out]) gpu.free(buffer);
}

function reference(
  { inputs: K, outputs: N, epilogue, bias }: MatmulCase,
  rows: number,
  x: Float32Array,
  w: Float32Array,
  b: Float32Array,
  residual: Float32Array,
): Float64Array {
  const width = epilogue === 'swiglu' ? N / 2 : N;
  const out = new Float64Array(rows * width);
  for (let m = 0; m < rows; m++) {
    const sums = Array.from({ length: N }, (_, n) => {
      let sum = bias ? b[n]! : 0;
      for (let k = 0; k < K; k++) sum += x[m * K + k]! * w[n * K + k]!;
      return sum;
    });
    for (let j = 0; j < width; j++) {
      if (epilogue === 'swiglu') out[m * width + j] = (sums[2 * j]! / (1 + Math.exp(-sums[2 * j]!))) * sums[2 * j + 1]!;
      else out[m * width + j] = sums[j]! + (epilogue === 'add' ? residual[m * width + j]! : 0);
    }
  }
  return out;
}

/** Every variant, epilogue and precision once: for hosts that want to know that all of it works. */
export async function checkMatmulVariants(gpu: Gpu): Promise<void> {
  const store = { inputs: 68, outputs: 70, epilogue: 'store', bias: true, rows: 'rows' } as const;
  const add = { inputs: 36, outputs: 65, epilogue: 'add', bias: false, rows: 'logitRows' } as const;
  const swiglu = { inputs: 20, outputs: 90, epilogue: 'swiglu', bias: true, rows: 'rows' } as const;
  const seed = 11;
  const heights = [37, 1, 2, 3, 8, 16, 19];
  await checkMatmul(gpu, {
    ...store,
    precision: 'f32',
    seed,
    tunings: [SLICED, SLICED_SMALL, SLICED_TILED],
    counts: heights,
  });
  await checkMatmul(gpu, {
    ...add,
    precision: 'f16',
    seed,
    tunings: [SLICED_SMALL, SLICED_TILED],
    counts: [35, 1, 3, 8],
  });
  await checkMatmul(gpu, {
    ...swiglu,
    precision: 'f32',
    seed,
    tunings: [SLICED_SMALL, SLICED_TILED],
    counts: [9, 1, 4],
  });
  await checkMatmul(gpu, { ...swiglu, precision: 'f16', seed, tunings: [SLICED_TILED], counts: [33, 1] });
}
