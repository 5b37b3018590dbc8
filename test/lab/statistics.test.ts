import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bootstrap, mean, quantile, wilson } from '../../src/lab/statistics.ts';

describe('wilson', () => {
  // Newcombe (1998), Statistics in Medicine 17, Table I, method 3.
  it.each([
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
  ])('%d of %d as published', (successes, trials, low, high) => {
    const interval = wilson(successes, trials);
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });

  it('mirrors, holds the proportion, and solves its own equation', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 500 }), fc.nat(500), (trials, draw) => {
        const successes = draw % (trials + 1);
        const { low, high } = wilson(successes, trials);
        const other = wilson(trials - successes, trials);
        const p = successes / trials;
        expect(low).toBeCloseTo(1 - other.high, 12);
        expect(low <= p && p <= high && low >= 0 && high <= 1).toBe(true);
        // Each end is the proportion from which the observed one is 1.96 of its own standard errors away.
        for (const end of [low, high]) {
          if (end > 0 && end < 1) {
            expect(Math.abs(p - end) / Math.sqrt((end * (1 - end)) / trials)).toBeCloseTo(1.959964, 5);
          }
        }
      }),
    );
  });

  it('refuses counts that make no sense', () => {
    expect(() => wilson(1, 0)).toThrow(/trials is 0/);
    expect(() => wilson(3, 2)).toThrow(/successes is 3/);
  });
});

describe('quantile', () => {
  it("is R's type 7", () => {
    // quantile(c(1, 2, 4, 8, 16), c(0, .1, .25, .5, .9, 1)) in R.
    const values = [1, 2, 4, 8, 16];
    expect([0, 0.1, 0.25, 0.5, 0.9, 1].map((p) => quantile(values, p))).toEqual([1, 1.4, 2, 4, 12.8, 16]);
    expect(quantile([3], 0.7)).toBe(3);
  });
});

describe('bootstrap', () => {
  it('has the standard error published for the mouse data', () => {
    // Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 2: treatment group, mean 86.86, and 23.36 as
    // the bootstrap standard error for ever more samples.
    const mice = [94, 197, 16, 38, 99, 141, 23];
    expect(mean(mice)).toBeCloseTo(86.86, 2);
    const means = [...new Bootstrap([7], 20_000, 1).means(mice)];
    const centre = mean(means);
    expect(centre).toBeCloseTo(86.86, -0.5);
    const deviation = Math.sqrt(mean(means.map((value) => (value - centre) ** 2)));
    expect(Math.abs(deviation / 23.36 - 1)).toBeLessThan(0.02);
  });

  it('draws as the multinomial does', () => {
    // Of two problems, 0 and 1: means 0, 1/2, 1 with chances 1/4, 1/2, 1/4.
    const means = new Bootstrap([2], 20_000, 3).means([0, 1]);
    const share = (value: number) => means.filter((item) => item === value).length / means.length;
    expect(share(0)).toBeCloseTo(0.25, 1.7);
    expect(share(0.5)).toBeCloseTo(0.5, 1.7);
    expect(share(1)).toBeCloseTo(0.25, 1.7);
  });

  it("comes near the normal interval where the mean is nearly normal, and to the binomial's coverage", () => {
    const values = Array.from({ length: 200 }, (_, i) => (i % 5 === 0 ? 1 : 0));
    const { low, high } = new Bootstrap([200], 4000, 7).interval(values);
    const half = 1.96 * Math.sqrt((0.2 * 0.8) / 200);
    expect(low).toBeCloseTo(0.2 - half, 1.7);
    expect(high).toBeCloseTo(0.2 + half, 1.7);
  });

  it('keeps the sizes of groups', () => {
    // Within a group all are alike: nothing can vary. Drawn over all, it would.
    const values = [0, 0, 0, 1, 1];
    expect(new Bootstrap([3, 2], 500, 1).interval(values)).toEqual({ low: 0.4, high: 0.4 });
    expect(new Bootstrap([5], 500, 1).interval(values)).not.toEqual({ low: 0.4, high: 0.4 });
  });

  it('never claims certainty about an accuracy', () => {
    const bootstrap = new Bootstrap([10], 500, 1);
    expect(bootstrap.accuracy(Array(10).fill(1))).toEqual({ mean: 1, ...wilson(10, 10), method: 'wilson' });
    expect(bootstrap.accuracy(Array(10).fill(0))).toEqual({ mean: 0, ...wilson(0, 10), method: 'wilson' });
    expect(new Bootstrap([3, 2], 500, 1).accuracy([0, 0, 0, 1, 1]).method).toBe('wilson');
    expect(bootstrap.accuracy(Array.from({ length: 10 }, (_, i) => 1 - i * 1e-4)).method).toBe('wilson');
    expect(bootstrap.accuracy(Array.from({ length: 10 }, (_, i) => 1 - i * 1e-2)).method).toBe('bootstrap');
  });

  it('holds the mean, lies within the values, and repeats itself by its seed', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 2, maxLength: 20 }),
        fc.nat(),
        (values, seed) => {
          const interval = new Bootstrap([values.length], 400, seed).interval(values);
          expect(interval).toEqual(new Bootstrap([values.length], 400, seed).interval(values));
          expect(interval.low).toBeGreaterThanOrEqual(Math.min(...values) - 1e-12);
          expect(interval.high).toBeLessThanOrEqual(Math.max(...values) + 1e-12);
          expect(interval.low).toBeLessThanOrEqual(interval.high);
        },
      ),
      { numRuns: 30 },
    );
  });
});
