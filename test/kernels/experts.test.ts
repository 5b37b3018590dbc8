import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { expertTile, mostTiles } from '../../src/kernels/experts.ts';
import { FOUR_BIT } from '../../src/kernels/matrix.ts';
import { testGpu } from '../support/gpu.ts';
import { checkExperts } from './cases/experts.ts';
import { SLICED } from './cases/matmul.ts';
import { F32 } from './cases/matrix-support.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('experts', () => {
  it('are chosen, grouped, computed and summed as float64 does, whatever the batch and the tiling', async () => {
    const tunings = [{ ...SLICED, rowTiles: [1, 8] }, { ...SLICED, rowTiles: [4], columns: 4, threads: 32 } as const];
    const common = { perToken: 3, normalised: true, tunings, counts: [13, 1, 4], seed: 1 };
    await checkExperts(gpu, { ...common, experts: 9, hidden: 64, size: 36, format: F32 });
    await checkExperts(gpu, { ...common, experts: 130, hidden: 32, size: 32, format: FOUR_BIT, normalised: false });
  });

  it('have as many tiles as the worst case of rows per expert makes', () => {
    const worst = (items: number, experts: number, tile: number) => {
      // One item each for all experts but one, which gets the rest; by definition the most that ⌈·/tile⌉ can add up to.
      let best = 0;
      const walk = (left: number, open: number, tiles: number): void => {
        if (left === 0 || open === 0) {
          best = left === 0 ? Math.max(best, tiles) : best;
          return;
        }
        for (let take = 0; take <= left; take++) walk(left - take, open - 1, tiles + Math.ceil(take / tile));
      };
      walk(items, experts, 0);
      return best;
    };
    for (const [items, experts, tile] of [
      [1, 3, 4],
      [7, 3, 2],
      [9, 4, 4],
      [12, 3, 4],
      [10, 2, 3],
    ] as const) {
      expect(mostTiles(items, experts, tile)).toBe(worst(items, experts, tile));
    }
    expect([1, 8, 64].map((rows) => expertTile({ ...SLICED, rowTiles: [1, 4, 16] }, rows, 16, 2))).toEqual([1, 4, 16]);
  });
});
