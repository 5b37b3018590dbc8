import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { Attention } from '../../src/kernels/attention.ts';
import { testGpu } from '../support/gpu.ts';
import { BORDERS, checkAttention, checkSharedPages, SHAPES } from './cases/attention.ts';
import { seeded } from './cases/linear-support.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('attention', () => {
  for (const precision of ['f32', 'int8'] as const) {
    it(`holds around page and split borders in ${precision}`, async () => {
      await checkAttention(gpu, { heads: 2, kvHeads: 1, headDim: 64, precision, lengths: BORDERS, seed: 1 });
    });
  }

  for (const [index, [heads, kvHeads, headDim]] of SHAPES.slice(1).entries()) {
    const precision = (['f16', 'f16', 'f32', 'int8', 'int8', 'f32'] as const)[index]!;
    it(`holds for ${heads} heads on ${kvHeads} of ${headDim} in ${precision}`, async () => {
      const random = seeded(index);
      const lengths = [1 + Math.floor(random() * 20), 130 + Math.floor(random() * 20)];
      await checkAttention(gpu, { heads, kvHeads, headDim, precision, lengths, seed: index });
    });
  }

  it('holds where one token outweighs all others', async () => {
    const shape = { heads: 2, kvHeads: 1, headDim: 64, precision: 'f32' } as const;
    await checkAttention(gpu, { ...shape, lengths: [40, 260], seed: 3, sharpness: 20 });
  });

  // Shapes from above, whose kernels are there.
  it.each([
    { heads: 2, kvHeads: 1, headDim: 64, precision: 'f32' },
    { heads: 6, kvHeads: 2, headDim: 24, precision: 'f16' },
    { heads: 11, kvHeads: 1, headDim: 40, precision: 'int8' },
  ] as const)('reads common pages once, $heads heads on $kvHeads of $headDim in $precision', async (shape) => {
    await checkSharedPages(gpu, shape, 5);
  });

  it('refuses shapes that it cannot serve', async () => {
    const rest = { maxPagesPerLane: 4, maxItems: 4 };
    for (const shape of [
      { heads: 3, kvHeads: 2, headDim: 64 },
      { heads: 17, kvHeads: 1, headDim: 64 },
      { heads: 2, kvHeads: 1, headDim: 60 },
      { heads: 2, kvHeads: 1, headDim: 512 },
      { heads: 2, kvHeads: 0, headDim: 64 },
    ]) {
      const error = await Attention.create(gpu, { ...shape, ...rest }, { weights: 'f32', kv: 'f32' }).catch((e) => e);
      expect(isReckonError(error, 'bad-option'), JSON.stringify(shape)).toBe(true);
    }
  });
});
