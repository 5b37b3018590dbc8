import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { selectionAccuracy, type Votable } from '../../src/lab/selection.ts';
import { selectors } from '../../src/strategies/select.ts';
import type { Candidate } from '../../src/strategies/types.ts';

function sample(answer: string, correct: boolean, logprob: number): Votable {
  return { answer, correct, finish: 'stop', logprob: { sum: logprob * 8, count: 8 } };
}

/** `right` of `count` chains right, each with an answer of its own. */
function drawn(right: number, count: number): Votable[] {
  return Array.from({ length: count }, (_, i) => sample(`answer ${i}`, i < right, -i));
}

function candidatesOf(samples: readonly Votable[]): Candidate[] {
  return samples.map(({ answer, correct, finish, logprob }, lane) => ({
    lane,
    seed: lane,
    reasoning: '',
    answer,
    tokens: 8,
    finish,
    logprob,
    verdict: { correct, reason: 'Given.' },
  }));
}

function* subsets<T>(items: readonly T[], n: number): Generator<T[]> {
  if (n === 0) yield [];
  else
    for (const [i, item] of items.entries())
      for (const rest of subsets(items.slice(i + 1), n - 1)) yield [item, ...rest];
}

/** Few different answers; right or wrong by answer, as a verifier has it; likelihoods that tie now and then. */
const samplesArbitrary = fc.array(
  fc
    .record({ answer: fc.constantFrom('', 'right', 'a', 'b', 'c'), likelihood: fc.integer({ min: -6, max: 0 }) })
    .map(({ answer, likelihood }) => sample(answer, answer === 'right', likelihood)),
  { minLength: 1, maxLength: 9 },
);

describe('coverage', () => {
  // The authors' estimator, executed: 5, 1 and 16 right of 32, 3 of 8.
  it.each([
    [5, 32, [0.15625, 0.2923387096774194, 0.5119577308120133, 0.7889321468298109, 0.9783092324805339, 1]],
    [1, 32, [0.03125, 0.0625, 0.125, 0.25, 0.5, 1]],
    [16, 32, [0.5, 0.7580645161290323, 0.9493882091212458, 0.9987764182424916, 0.999999998336329, 1]],
    [3, 8, [0.375, 0.6428571428571428, 0.9285714285714286, 1]],
  ])('%d of %d as the authors have it', (right, count, expected) => {
    for (const [i, value] of expected.entries()) {
      expect(selectionAccuracy(drawn(right, count), 2 ** i, 1).coverage).toBeCloseTo(value, 13);
    }
  });

  it('is 0 of none, and does not lose precision over thousands', () => {
    expect(selectionAccuracy(drawn(0, 32), 8, 1).coverage).toBe(0);
    // One of S: exactly N / S.
    expect(selectionAccuracy(drawn(1, 4096), 1024, 1).coverage).toBeCloseTo(0.25, 12);
  });
});

describe('every way to choose', () => {
  it('is the mean over all sets of what the strategies choose', () => {
    fc.assert(
      fc.property(samplesArbitrary, fc.nat(8), (samples, draw) => {
        const n = 1 + (draw % samples.length);
        const totals = { coverage: 0, majority: 0, logprob: 0 };
        let sets = 0;
        for (const set of subsets(candidatesOf(samples), n)) {
          sets++;
          for (const [name, selector] of [
            ['coverage', selectors.verifier],
            ['majority', selectors.majority],
            ['logprob', selectors.logprob],
          ] as const) {
            const { lane } = selector.select(set);
            if (lane !== null && samples[lane]!.correct) totals[name]++;
          }
        }
        const accuracy = selectionAccuracy(samples, n, 1);
        expect(accuracy.coverage).toBeCloseTo(totals.coverage / sets, 12);
        expect(accuracy.majority).toBeCloseTo(totals.majority / sets, 12);
        expect(accuracy.logprob).toBeCloseTo(totals.logprob / sets, 12);
      }),
      { numRuns: 200 },
    );
  });

  it('is pass@1 with one chain, and never better than a perfect verifier', () => {
    fc.assert(
      fc.property(samplesArbitrary, (samples) => {
        const rate = samples.filter(({ correct }) => correct).length / samples.length;
        const { coverage, majority, logprob } = selectionAccuracy(samples, 1, 1);
        for (const value of [coverage, majority, logprob]) expect(value).toBeCloseTo(rate, 12);
        for (let n = 2; n <= samples.length; n++) {
          const many = selectionAccuracy(samples, n, 1);
          expect(many.majority).toBeLessThanOrEqual(many.coverage + 1e-12);
          expect(many.logprob).toBeLessThanOrEqual(many.coverage + 1e-12);
        }
      }),
    );
  });

  it('estimates a majority from random sets where there are too many, the same by the same seed', () => {
    // 32 chains, 12 right with one answer, 20 wrong with ten: N = 16 has 601 million sets. The right answer nearly always
    // wins; with N = 4 the chance is counted by formula below.
    const samples = Array.from({ length: 32 }, (_, i) =>
      i < 12 ? sample('right', true, -1) : sample(`wrong ${(i - 12) >> 1}`, false, -2),
    );
    expect(selectionAccuracy(samples, 16, 1).majority).toBeGreaterThan(0.99);
    expect(selectionAccuracy(samples, 4, 5)).toEqual(selectionAccuracy(samples, 4, 5));
    // Right chains are likelier and so win ties: the majority errs with none right, or one right and a wrong pair.
    const choose = (of: number, n: number): number => (n === 0 ? 1 : (choose(of - 1, n - 1) * of) / n);
    const pairWithOther = 10 * 18;
    const wrong = (choose(20, 4) + 12 * pairWithOther) / choose(32, 4);
    expect(Math.abs(selectionAccuracy(samples, 4, 1).majority - (1 - wrong))).toBeLessThan(0.04);
  });

  it('refuses more chains than were drawn', () => {
    expect(() => selectionAccuracy(drawn(1, 4), 5, 1)).toThrow(
      /n is 5; it must be a whole number at least 1 and at most 4/,
    );
  });
});
