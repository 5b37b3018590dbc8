/** Checks of the matmul on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { Matmul, type MatmulShape, type MatmulTuning } from '../../../src/kernels/matmul.ts';
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
import { F16, F32, QUANTIZED, storedMatrix } from './matrix-support.ts';

export interface MatmulCase extends Omit<MatmulShape, 'tuning'> {
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
  const { inputs: K, outputs: N, epilogue, bias, rows, format, parts, seed, tunings, counts } = test;
  const what = `matmul ${K}→${N} ${epilogue}${bias ? ' bias' : ''} ${rows} ${JSON.stringify(format)} seed ${seed}`;
  const random = seeded(seed);
  const most = Math.max(...counts);
  const width = epilogue === 'swiglu' ? N / 2 : N;
  const x = randoms(random, most * K);
  const { matrix, values } = await storedMatrix(gpu, { inputs: K, outputs: N, format, parts, random });
  const b = randoms(random, N);
  const residual = randoms(random, most * width);
  const expected = reference(test, most, x, values, b, residual);

  const xBuffer = upload(gpu, 'x', x);
  const biasBuffer = upload(gpu, 'bias', b);
  // A guard row behind the last: a kernel that writes past its rows is caught.
  const out = gpu.buffer('out', (most + 1) * width * 4);
  const step = stepBuffers(gpu, most);

  let first: Float32Array | null = null;
  for (const tuning of tunings) {
    const shape = { inputs: K, outputs: N, epilogue, bias, rows, format, tuning, ...(parts ? { parts } : {}) };
    const matmul = await Matmul.create(gpu, shape);
    const buffers = { x: xBuffer, weights: matrix, out, step, ...(bias ? { bias: biasBuffer } : {}) };
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
      const variant = matmul.variant(count).kernels[0]!.label;
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
  freeStep(gpu, step);
  for (const buffer of [...matrix.parts.map((part) => part.buffer), xBuffer, biasBuffer, out]) gpu.free(buffer);
}

function reference(
  { inputs: K, outputs: N, epilogue, bias }: MatmulCase,
  rows: number,
  x: Float32Array,
  w: Float64Array,
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
    format: F32,
    seed,
    tunings: [SLICED, SLICED_SMALL, SLICED_TILED],
    counts: heights,
  });
  await checkMatmul(gpu, {
    ...add,
    format: F16,
    seed,
    tunings: [SLICED_SMALL, SLICED_TILED],
    counts: [35, 1, 3, 8],
  });
  await checkMatmul(gpu, {
    ...swiglu,
    format: F32,
    seed,
    tunings: [SLICED_SMALL, SLICED_TILED],
    counts: [9, 1, 4],
  });
  await checkMatmul(gpu, { ...swiglu, format: F16, seed, tunings: [SLICED_TILED], counts: [33, 1] });
}

/** Codes of 4 and 8 bits, symmetric and affine, in both variants, whole and in parts of columns. */
export async function checkQuantizedMatmul(gpu: Gpu): Promise<void> {
  const parts = [
    { first: 0, outputs: 128 },
    { first: 128, outputs: 34 },
  ];
  // Few tiles of each: software drivers take long to compile them, and floats have shown that all heights agree.
  const small: MatmulTuning = { ...SLICED_SMALL, rowTiles: [1, 4] };
  const tiled: MatmulTuning = { ...SLICED_TILED, rowTiles: [8] };
  for (const [seed, format] of QUANTIZED.entries()) {
    await checkMatmul(gpu, {
      inputs: 32 * (3 + seed),
      outputs: seed === 0 ? 162 : 70,
      epilogue: (['store', 'add', 'swiglu'] as const)[seed % 3]!,
      bias: seed % 2 === 0,
      rows: 'rows',
      format,
      ...(seed === 0 ? { parts } : {}),
      seed,
      tunings: seed < 4 ? [small, tiled] : [small],
      counts: [21, 1, 3],
    });
  }
}
