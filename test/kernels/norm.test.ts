import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { Gpu, openGpu } from '../../src/gpu/index.ts';
import { RmsNorm } from '../../src/kernels/norm.ts';
import { testGpu } from '../support/gpu.ts';
import { seeded } from './cases/linear-support.ts';
import { checkNorm, checkNormAll } from './cases/norm.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

/** The same device told to run as if it were (or were not) a CPU: both variants run on every machine. */
function posingAs(tuning: 'gpu' | 'cpu'): Gpu {
  return new Gpu(gpu.device, { ...gpu.profile, tuning });
}

describe('RmsNorm', () => {
  it.each(['gpu', 'cpu'] as const)('agrees with float64, gathered or not, with kernels for a %s', async (tuning) => {
    await checkNormAll(posingAs(tuning));
  });

  it('does so for random shapes', async () => {
    const random = seeded(4);
    for (let seed = 0; seed < 6; seed++) {
      const hidden = 4 * (1 + Math.floor(random() * 200));
      const rows = 1 + Math.floor(random() * 12);
      await checkNorm(gpu, { hidden, rows, epsilon: 1e-6, scale: 10 ** (random() * 6 - 4), seed });
    }
  });

  it('refuses odd sizes and a missing epsilon', async () => {
    for (const [hidden, epsilon] of [
      [6, 1e-6],
      [0, 1e-6],
      [8, 0],
      [8, Number.NaN],
    ] as const) {
      const error = await RmsNorm.create(gpu, { hidden, epsilon, gather: false }).catch((reason: unknown) => reason);
      expect(isReckonError(error, 'bad-option')).toBe(true);
    }
  });
});
