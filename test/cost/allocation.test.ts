import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  allocate,
  bestOfNGrid,
  coverage,
  frontier,
  type GridPoint,
  logSpaced,
  longCotGrid,
} from '../../src/cost/allocation.ts';
import golden from '../golden/kinetics.json' with { type: 'json' };

describe('coverage', () => {
  it.each(golden.coverage)('$correct of $S', ({ correct, S, N, coverage: stated }) => {
    for (const [i, n] of N.entries()) expect(Math.abs(coverage(S, correct, n) - stated[i]!)).toBeLessThan(3e-16);
  });

  it('is the share of all subsets that hold a right one', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), fc.nat(10), fc.integer({ min: 1, max: 10 }), (total, c, k) => {
        const correct = Math.min(c, total);
        const n = Math.min(k, total);
        let sets = 0;
        let hit = 0;
        for (let mask = 0; mask < 2 ** total; mask++) {
          const bits = mask.toString(2).replaceAll('0', '').length;
          if (bits !== n) continue;
          sets++;
          if ((mask & (2 ** correct - 1)) !== 0) hit++;
        }
        expect(coverage(total, correct, n)).toBeCloseTo(hit / sets, 12);
      }),
    );
  });

  it('stays exact where factorials overflow', () => {
    expect(coverage(100_000, 1, 50_000)).toBeCloseTo(0.5, 12);
    expect(coverage(1_000_000, 3, 1)).toBeCloseTo(3e-6, 15);
  });

  it('refuses counts that make no sense', () => {
    expect(() => coverage(8, 9, 1)).toThrow(/correct is 9/);
    expect(() => coverage(8, 1, 9)).toThrow(/n is 9/);
  });
});

const points = fc.array(
  fc.record({
    choice: fc.nat(),
    cost: fc.double({ min: 0, max: 100, noNaN: true }),
    accuracy: fc.integer({ min: 0, max: 8 }).map((x) => x / 8),
  }),
  { maxLength: 12 },
);

describe('allocate', () => {
  it('takes each task’s best affordable point, and is never worse with more', () => {
    fc.assert(
      fc.property(
        fc.array(points, { minLength: 1, maxLength: 5 }),
        fc.nat(100),
        fc.nat(100),
        (tasks: GridPoint<number>[][], a, b) => {
          const { chosen, accuracy } = allocate(tasks, a);
          for (const [i, point] of chosen.entries()) {
            const affordable = tasks[i]!.filter(({ cost }) => cost <= a);
            expect(point?.accuracy ?? null).toBe(
              affordable.length ? Math.max(...affordable.map((p) => p.accuracy)) : null,
            );
            if (point) {
              for (const p of affordable)
                if (p.accuracy === point.accuracy) expect(p.cost).toBeGreaterThanOrEqual(point.cost);
            }
          }
          const [less, more] = [Math.min(a, b), Math.max(a, b)].map((limit) => allocate(tasks, limit).accuracy);
          expect(more).toBeGreaterThanOrEqual(less!);
          expect(accuracy).toBeLessThanOrEqual(1);
        },
      ),
    );
  });

  it('runs Algorithm 1 on a case done by hand', () => {
    const task = (right: number) =>
      [128, 1024].map((setting) => ({
        setting,
        prompt: 100,
        samples: Array.from({ length: 4 }, (_, i) => ({
          tokens: 10 * (i + 1),
          correct: i < right - (setting < 1000 ? 1 : 0),
        })),
      }));
    // A trial costs its mean length (25), twice that with the larger budget.
    const cost = ({ setting }: { setting: number }, lengths: readonly number[], trials: number) =>
      (trials * lengths.reduce((sum, length) => sum + length, 0) * (setting < 1000 ? 1 : 2)) / lengths.length;
    const tasks = [task(2), task(1)].map((sets) => bestOfNGrid(sets, [1, 2, 4, 8], cost));
    expect(tasks[0]).toHaveLength(6);
    const { chosen, accuracy } = allocate(tasks, 100);
    // Task 1: 128 × 4 trials (cost 100) has coverage 1; task 2 is solved only with 1024: 2 trials, half of the pairs.
    expect(chosen[0]).toEqual({ choice: { setting: 128, trials: 4 }, cost: 100, accuracy: 1 });
    expect(chosen[1]!.choice).toEqual({ setting: 1024, trials: 2 });
    expect(accuracy).toBeCloseTo(0.75);
    expect(allocate(tasks, 24)).toEqual({ accuracy: 0, cost: 0, chosen: [null, null] });
    expect(frontier(tasks, [24, 100, 1000]).map(({ allocation }) => allocation.accuracy)).toEqual([0, 0.75, 1]);
  });

  it('runs Algorithm 2 on a case done by hand', () => {
    const traces = [30, 50, 90].map((tokens) => ({ tokens, correct: true }));
    const capped = (cap: number) => ({
      setting: 'dense',
      prompt: 10,
      cap,
      samples: traces.map(({ tokens }) => ({ tokens: Math.min(cap, tokens), correct: tokens <= cap })),
    });
    const grid = longCotGrid([40, 60, 100].map(capped), (_, lengths) => lengths.reduce((a, b) => a + b, 0) / 3);
    expect(grid.map(({ accuracy }) => accuracy)).toEqual([1 / 3, 2 / 3, 1]);
    expect(allocate([grid], 50).chosen[0]!.choice.cap).toBe(60);
  });

  it('refuses to allocate to nobody', () => {
    expect(() => allocate([], 1)).toThrow(/no tasks/);
  });
});

describe('logSpaced', () => {
  it('has even factors and exact ends', () => {
    const limits = logSpaced(20, 4e4, 100);
    expect(limits).toHaveLength(100);
    expect([limits[0], limits[99]]).toEqual([20, 4e4]);
    expect(limits[1]! / limits[0]!).toBeCloseTo(limits[99]! / limits[98]!, 10);
  });
});
