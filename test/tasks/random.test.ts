import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Random } from '../../src/tasks/random.ts';

describe('Random', () => {
  it('gives the published outputs of xoshiro128** for state 1 2 3 4', () => {
    const random = Random.fromState([1, 2, 3, 4]);
    const outputs = Array.from({ length: 10 }, () => random.uint32());
    expect(outputs).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
  });

  it('keeps its outputs for ever, and separates seeds beyond 32 bits and streams', () => {
    const first = (seed: number, stream?: string) => Random.fromSeed(seed, stream).uint32();
    expect([first(0), first(1), first(2 ** 32), first(7, 'a'), first(7, 'b')]).toMatchInlineSnapshot(`
      [
        259067684,
        1045190009,
        419347395,
        3031757979,
        3039641964,
      ]
    `);
  });

  it('draws below a bound uniformly', () => {
    const random = Random.fromSeed(3);
    for (const bound of [2, 3, 7, 25]) {
      const counts = new Array<number>(bound).fill(0);
      const draws = 4000 * bound;
      for (let i = 0; i < draws; i++) counts[random.below(bound)]!++;
      const chi = counts.reduce((sum, count) => sum + (count - 4000) ** 2 / 4000, 0);
      // Far beyond the 99.9 % point for up to 24 degrees of freedom (51.2).
      expect(chi).toBeLessThan(60);
    }
  });

  it('redraws what would bias the result', () => {
    // With a bound of 3·2^30 a plain modulo would hit the lowest quarter-range twice as often.
    const random = Random.fromSeed(11);
    let low = 0;
    for (let i = 0; i < 30_000; i++) if (random.below(3 * 2 ** 30) < 2 ** 30) low++;
    expect(low / 30_000).toBeGreaterThan(0.32);
    expect(low / 30_000).toBeLessThan(0.347);
  });

  it('shuffles without losing anything, and stays in range', () => {
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.array(fc.integer()),
        fc.integer({ min: 1, max: 2 ** 32 }),
        (seed, items, bound) => {
          const random = Random.fromSeed(seed);
          expect([...random.shuffle(items)].sort()).toEqual([...items].sort());
          expect(random.below(bound)).toBeLessThan(bound);
          expect(random.between(-3, 4)).toBeGreaterThanOrEqual(-3);
        },
      ),
    );
  });

  it.each([-1, 0.5, Number.NaN, 2 ** 53])('refuses seed %s', (seed) => {
    expect(() => Random.fromSeed(seed)).toThrow(/seed is/);
  });
});
