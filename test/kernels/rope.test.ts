import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { plainRotation, RopeAppend, ropeTables } from '../../src/kernels/rope.ts';
import { testGpu } from '../support/gpu.ts';
import { checkRopeAppend, randomRows } from './cases/rope.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('ropeTables', () => {
  it('gives the angle of every position by the angle-sum identity', () => {
    const [headDim, theta, maxContext] = [32, 1e6, 5000];
    const tables = ropeTables(plainRotation(headDim, theta), maxContext);
    const entry = (index: number, pair: number, sine: 0 | 1) =>
      tables[(index * (headDim / 8) + Math.floor(pair / 4)) * 8 + sine * 4 + (pair % 4)]!;
    for (const position of [0, 1, 255, 256, 257, 1023, 4095, 4999]) {
      for (let pair = 0; pair < headDim / 2; pair++) {
        const angle = position * theta ** ((-2 * pair) / headDim);
        const [coarse, fine] = [256 + Math.floor(position / 256), position % 256];
        const [ca, sa, cb, sb] = [
          entry(coarse, pair, 0),
          entry(coarse, pair, 1),
          entry(fine, pair, 0),
          entry(fine, pair, 1),
        ];
        expect(ca * cb - sa * sb).toBeCloseTo(Math.cos(angle), 6);
        expect(sa * cb + ca * sb).toBeCloseTo(Math.sin(angle), 6);
      }
    }
    expect(tables.length).toBe((256 + 20) * (headDim / 2) * 2);
  });
});

describe('RopeAppend', () => {
  const shapes = [
    { heads: 2, kvHeads: 1, headDim: 64, qkNorm: true, precision: 'f32', theta: 1e4, maxContext: 1024 },
    { heads: 2, kvHeads: 1, headDim: 64, qkNorm: true, precision: 'f16', theta: 1e4, maxContext: 1024 },
    { heads: 3, kvHeads: 3, headDim: 24, qkNorm: true, precision: 'f16', theta: 1e6, maxContext: 40000 },
    { heads: 2, kvHeads: 2, headDim: 24, qkNorm: true, precision: 'int8', theta: 1e4, maxContext: 1024 },
    { heads: 5, kvHeads: 1, headDim: 16, qkNorm: false, precision: 'f32', theta: 5e5, maxContext: 300 },
    { heads: 8, kvHeads: 2, headDim: 256, qkNorm: true, precision: 'f32', theta: 1e6, maxContext: 131072 },
    { heads: 14, kvHeads: 2, headDim: 40, qkNorm: false, precision: 'int8', theta: 1e6, maxContext: 33 },
  ] as const;
  for (const [seed, shape] of shapes.entries()) {
    const { heads, kvHeads, headDim, precision, qkNorm, maxContext } = shape;
    it(`serves ${heads} heads on ${kvHeads} of ${headDim} in ${precision}, QK-norm ${qkNorm}`, async () => {
      await checkRopeAppend(gpu, { ...shape, seed, rows: randomRows(7 + 6 * seed, maxContext, seed) });
    });
  }

  it('refuses what it cannot serve', async () => {
    const good = {
      heads: 2,
      kvHeads: 1,
      headDim: 64,
      rotation: plainRotation(64, 1e4),
      maxContext: 100,
      qkNormEpsilon: 1e-6,
    };
    const bad: Partial<typeof good>[] = [
      { headDim: 20 },
      { headDim: 8 },
      { heads: 0 },
      { rotation: plainRotation(32, 1e4) },
      { rotation: { ...plainRotation(64, 1e4), magnitudes: [1, 0] } },
      { maxContext: 0 },
      { qkNormEpsilon: -1 },
    ];
    for (const change of bad) {
      const options = { ...good, ...change };
      const error = await RopeAppend.create(gpu, options, { weights: 'f32', kv: 'f32' }).catch((e) => e);
      expect(isReckonError(error, 'bad-option'), JSON.stringify(change)).toBe(true);
    }
  });
});
