import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { KvCopy } from '../../src/kernels/kv-copy.ts';
import { testGpu } from '../support/gpu.ts';
import { checkKvCopy } from './cases/kv-copy.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

const F32 = { weights: 'f32', kv: 'f32' } as const;

describe('KvCopy', () => {
  it('copies pages and nothing else, in every precision', async () => {
    let seed = 0;
    for (const precision of ['f32', 'f16', 'int8'] as const) {
      for (const [kvHeads, headDim] of [
        [1, 64],
        [3, 24],
        [8, 128],
      ] as const) {
        await checkKvCopy(gpu, { kvHeads, headDim, precision, pages: 12, copies: 1 + seed, seed: seed++ });
      }
    }
  });

  it('refuses a longer list than it has room for', async () => {
    const copy = await KvCopy.create(gpu, { kvHeads: 1, headDim: 64, maxCopies: 1 }, F32);
    let error: unknown;
    try {
      copy.upload([
        { source: 0, target: 1 },
        { source: 0, target: 2 },
      ]);
    } catch (thrown) {
      error = thrown;
    }
    expect(isReckonError(error, 'limit-exceeded')).toBe(true);
    copy.dispose();
  });

  it('refuses shapes without sense', async () => {
    for (const options of [
      { kvHeads: 0, headDim: 64, maxCopies: 1 },
      { kvHeads: 1, headDim: 12, maxCopies: 1 },
      { kvHeads: 1, headDim: 64, maxCopies: 0 },
    ]) {
      const error = await KvCopy.create(gpu, options, F32).catch((e) => e);
      expect(isReckonError(error, 'bad-option'), JSON.stringify(options)).toBe(true);
    }
  });
});
