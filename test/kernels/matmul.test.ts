import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { defaultTuning, Matmul } from '../../src/kernels/matmul.ts';
import { EIGHT_BIT, FOUR_BIT } from '../../src/kernels/matrix.ts';
import { testGpu } from '../support/gpu.ts';
import { seeded } from './cases/linear-support.ts';
import { checkMatmul, checkMatmulVariants, checkQuantizedMatmul, SLICED } from './cases/matmul.ts';
import { F16, F32 } from './cases/matrix-support.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('matmul', () => {
  it('agrees with float64 and bit for bit across variants, tilings and row counts', async () => {
    await checkMatmulVariants(gpu);
  });

  it('does so with the tuning of this device, for random shapes', async () => {
    const random = seeded(5);
    const upTo = (n: number) => 1 + Math.floor(random() * n);
    for (let round = 0; round < 4; round++) {
      const epilogue = (['store', 'add', 'swiglu'] as const)[round % 3]!;
      await checkMatmul(gpu, {
        inputs: 4 * upTo(40),
        outputs: epilogue === 'swiglu' ? 2 * upTo(60) : upTo(120),
        epilogue,
        bias: random() < 0.5,
        rows: random() < 0.5 ? 'rows' : 'logitRows',
        format: round % 2 === 0 ? F32 : F16,
        seed: round,
        tunings: [defaultTuning(gpu.profile)],
        counts: [1, upTo(32), upTo(70)],
      });
    }
  });

  it('does so with the tuning of a GPU that is not a CPU', async () => {
    // Of its tiles only the ones used here: software drivers take seconds to compile all of them.
    const tuning = { ...defaultTuning({ ...gpu.profile, tuning: 'gpu' }), rowTiles: [8, 32] };
    const wide = { epilogue: 'add', bias: false, rows: 'rows', format: F32, seed: 3, tunings: [tuning] } as const;
    await checkMatmul(gpu, { ...wide, inputs: 520, outputs: 72, counts: [34, 6, 32] });
  });

  it('multiplies codes of 4 and 8 bits as it does floats, whole and in parts', async () => {
    await checkQuantizedMatmul(gpu);
  });

  it('picks the smallest tile that holds all rows, then the tiled variant', async () => {
    const tuning = { ...SLICED, rowTiles: [1, 4], maxSlices: 1 };
    const shape = {
      inputs: 64,
      outputs: 32,
      epilogue: 'store',
      bias: false,
      rows: 'rows',
      format: F32,
      tuning,
    } as const;
    const matmul = await Matmul.create(gpu, shape);
    expect([1, 2, 4, 5, 19].map((rows) => matmul.variant(rows).rows)).toEqual([1, 4, 4, 4, 4]);
    expect(matmul.variant(20).kernels[0]!.spec.module).toBe('matmul/tiled');
  });

  it('declares weights once per row tile, x and out once', async () => {
    const tuning = { ...SLICED, rowTiles: [8], tiledFrom: Number.POSITIVE_INFINITY };
    const shape = { inputs: 64, outputs: 30, epilogue: 'add', bias: false, rows: 'rows', format: F16, tuning } as const;
    const matmul = await Matmul.create(gpu, shape);
    expect(matmul.bytes(8)).toBe(64 * 30 * 2 + 8 * (64 + 60) * 4);
    expect(matmul.bytes(9)).toBe(2 * 64 * 30 * 2 + 9 * (64 + 60) * 4);
  });

  it('declares the bytes of codes and scales', async () => {
    const tuning = { ...SLICED, rowTiles: [8], tiledFrom: Number.POSITIVE_INFINITY };
    const shape = { inputs: 64, outputs: 40, epilogue: 'store', bias: false, rows: 'rows', tuning } as const;
    const four = await Matmul.create(gpu, { ...shape, format: FOUR_BIT });
    expect(four.bytes(8)).toBe(40 * (64 / 2 + 2 * 2) + 8 * (64 + 40) * 4);
    const affine = await Matmul.create(gpu, {
      ...shape,
      format: { ...EIGHT_BIT, affine: true, zero: 0, scale: 'f32' },
    });
    expect(affine.bytes(8)).toBe(40 * (64 + 2 * 8) + 8 * (64 + 40) * 4);
  });

  it('refuses shapes and tunings that do not fit', async () => {
    const good = { inputs: 64, outputs: 32, epilogue: 'store', bias: false, rows: 'rows', format: F32 } as const;
    const bad = [
      { ...good, inputs: 66 },
      { ...good, inputs: 0 },
      { ...good, outputs: 0 },
      { ...good, inputs: 48, format: FOUR_BIT },
      { ...good, format: { ...FOUR_BIT, group: 12 } },
      { ...good, outputs: 31, epilogue: 'swiglu' as const },
      { ...good, tuning: { ...SLICED, rowTiles: [3] } },
      { ...good, tuning: { ...SLICED, threads: 512 } },
    ];
    for (const shape of bad) {
      const error = await Matmul.create(gpu, shape).catch((reason: unknown) => reason);
      expect(isReckonError(error, 'bad-option')).toBe(true);
    }
  });
});
