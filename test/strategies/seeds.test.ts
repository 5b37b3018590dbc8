import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { laneSeed, randomSeed } from '../../src/strategies/seeds.ts';

describe('laneSeed', () => {
  it('keeps its values for ever', () => {
    expect([0, 1, 2, 255].map((lane) => laneSeed(7, lane))).toMatchInlineSnapshot(`
      [
        7,
        3511274219185729,
        151215513962380,
        5166481122713671,
      ]
    `);
  });

  it('is SplitMix64: its published outputs for state 0, upper 53 bits', () => {
    // The first three outputs of splitmix64 seeded with 0.
    const outputs = [0xe220a8397b1dcdafn, 0x6e789e6aa1b965f4n, 0x06c45d188009454fn];
    expect([1, 2, 3].map((lane) => laneSeed(0, lane))).toEqual(outputs.map((x) => Number(x >> 11n)));
  });

  it('gives safe whole numbers, different for every lane, in both halves of the word', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (base) => {
        const seeds = Array.from({ length: 256 }, (_, lane) => laneSeed(base, lane));
        expect(seeds[0]).toBe(base);
        expect(seeds.every((seed) => Number.isSafeInteger(seed) && seed >= 0)).toBe(true);
        expect(new Set(seeds.map((seed) => seed >>> 0)).size).toBeGreaterThan(250);
      }),
      { numRuns: 50 },
    );
  });

  it('draws fresh base seeds', () => {
    const seeds = Array.from({ length: 20 }, randomSeed);
    expect(new Set(seeds).size).toBe(20);
    expect(seeds.every(Number.isSafeInteger)).toBe(true);
  });
});
