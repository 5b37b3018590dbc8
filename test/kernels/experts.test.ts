import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { expertTile, mostTiles } from '../../src/kernels/experts.ts';
import { testGpu } from '../support/gpu.ts';
import { checkExpertsAll } from './cases/experts.ts';
import { SLICED } from './cases/matmul.ts';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu({ gpu: await testGpu() });
});
afterAll(() => gpu.close());

describe('experts', () => {
  it('are chosen, grouped, computed and summed as float64 does, whatever the batch and the tiling', async () => {
    await checkExpertsAll(gpu);
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
