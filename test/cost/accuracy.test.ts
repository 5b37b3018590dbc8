import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type AccuracyParameters, expectedAccuracy, throughPassAt1, voteAccuracy } from '../../src/cost/accuracy.ts';
import { fitAccuracy } from '../../src/cost/accuracy-fit.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import { minimise } from '../../src/cost/minimise.ts';
import { accuracyPrior, accuracyPriors, priorsOn } from '../../src/cost/priors.ts';

const parameters: fc.Arbitrary<AccuracyParameters> = fc.record({
  location: fc.double({ min: -4, max: 4, noNaN: true }),
  spread: fc.double({ min: 0.2, max: 3, noNaN: true }),
  halfLength: fc.double({ min: 10, max: 20000, noNaN: true }),
  slope: fc.double({ min: 0.5, max: 4, noNaN: true }),
  rivalry: fc.integer({ min: 0, max: 10 }).map((x) => x / 10),
  halfBudget: fc.double({ min: 8, max: 512, noNaN: true }),
});
const trialCounts = fc.constantFrom(1, 2, 3, 4, 8, 16);

describe('voteAccuracy', () => {
  it('is what counting every outcome gives', () => {
    // Each vote: right, rival, or one of its own.
    const counted = (p: number, trials: number, rivalry: number) => {
      const chances = [p, rivalry * (1 - p), (1 - rivalry) * (1 - p)];
      let won = 0;
      for (let outcome = 0; outcome < 3 ** trials; outcome++) {
        let chance = 1;
        const votes = [0, 0];
        let singles = 0;
        for (let i = 0, rest = outcome; i < trials; i++, rest = Math.floor(rest / 3)) {
          const vote = rest % 3;
          chance *= chances[vote]!;
          if (vote < 2) votes[vote]!++;
          else singles++;
        }
        const [right, rival] = votes as [number, number];
        const top = Math.max(right, rival, singles > 0 ? 1 : 0);
        if (right !== top) continue;
        const tied = 1 + (rival === top ? 1 : 0) + (top === 1 ? singles : 0);
        won += chance / tied;
      }
      return won;
    };
    for (const p of [0.1, 0.35, 0.5, 0.8]) {
      for (const rivalry of [0, 0.3, 1]) {
        for (const trials of [1, 2, 3, 5, 7]) {
          expect(voteAccuracy(p, trials, rivalry)).toBeCloseTo(counted(p, trials, rivalry), 12);
        }
      }
    }
  });

  it('does not fail for many votes', () => {
    expect(voteAccuracy(0.6, 256, 1)).toBeGreaterThan(0.99);
    expect(voteAccuracy(0.3, 256, 1)).toBeLessThan(0.01);
    expect(voteAccuracy(0.3, 256, 0.2)).toBeGreaterThan(0.99);
  });
});

describe('expectedAccuracy', () => {
  it('rises with length; with a verifier also with trials, and a majority never beats it', () => {
    fc.assert(
      fc.property(parameters, fc.nat(30000), fc.nat(3000), trialCounts, (p, tokens, more, trials) => {
        for (const selection of ['verifier', 'majority'] as const) {
          const accuracy = expectedAccuracy(p, { tokens, trials, selection });
          expect(accuracy).toBeGreaterThanOrEqual(0);
          expect(accuracy).toBeLessThanOrEqual(1);
          expect(expectedAccuracy(p, { tokens: tokens + more, trials, selection })).toBeGreaterThanOrEqual(
            accuracy - 1e-12,
          );
        }
        const verified = expectedAccuracy(p, { tokens, trials, selection: 'verifier' });
        expect(expectedAccuracy(p, { tokens, trials: 2 * trials, selection: 'verifier' })).toBeGreaterThanOrEqual(
          verified,
        );
        expect(expectedAccuracy(p, { tokens, trials, selection: 'majority' })).toBeLessThanOrEqual(verified + 1e-4);
      }),
    );
  });

  it('loses nothing to a KV budget that holds everything, and less the larger it is', () => {
    fc.assert(
      fc.property(
        parameters,
        fc.integer({ min: 1, max: 9000 }),
        fc.integer({ min: 1, max: 9000 }),
        (p, tokens, budget) => {
          const at = (kvBudget: number) => expectedAccuracy(p, { tokens, trials: 1, selection: 'verifier', kvBudget });
          const dense = expectedAccuracy(p, { tokens, trials: 1, selection: 'verifier' });
          expect(at(tokens)).toBe(dense);
          expect(at(budget)).toBeLessThanOrEqual(dense);
          expect(at(2 * budget)).toBeGreaterThanOrEqual(at(budget) - 1e-15);
        },
      ),
    );
  });

  it('goes through a stated accuracy', () => {
    const { location: _, ...shape } = accuracyPrior('Qwen3-8B', 'aime24')!.parameters;
    const fitted = throughPassAt1(0.15, 5000, shape);
    expect(expectedAccuracy(fitted, { tokens: 5000, trials: 1, selection: 'verifier' })).toBeCloseTo(0.15, 9);
    // A fifth of the trials is done by then.
    expect(() => throughPassAt1(0.4, 5000, shape)).toThrow(
      /accuracy is 0\.4; it must be a number at least 0 and at most 0\.2/,
    );
  });

  it('refuses what makes no sense', () => {
    const { parameters: p } = accuracyPriors()[0]!;
    expect(() => expectedAccuracy(p, { tokens: -1, trials: 1, selection: 'verifier' })).toThrow(/tokens is -1/);
    expect(() => expectedAccuracy(p, { tokens: 1, trials: 257, selection: 'verifier' })).toThrow(/trials is 257/);
  });
});

describe('fitAccuracy', () => {
  const grid = [100, 400, 1600, 6400].flatMap((tokens) =>
    [1, 4, 16].flatMap((trials) =>
      (['verifier', 'majority'] as const).map((selection) => ({ tokens, trials, selection, problems: 200 })),
    ),
  );

  it('finds a curve again from its points', () => {
    const truth = { location: 0.5, spread: 1.2, halfLength: 700, slope: 1.6, rivalry: 0.6, halfBudget: 96 };
    const prior = { location: -1, spread: 2, halfLength: 2000, slope: 2, rivalry: 0.4, halfBudget: 96 };
    const points = grid.map((point) => ({ ...point, accuracy: expectedAccuracy(truth, point) }));
    const { parameters: found, rmse } = fitAccuracy(points, prior);
    expect(rmse).toBeLessThan(0.01);
    expect(found.halfLength / truth.halfLength).toBeGreaterThan(0.8);
    expect(found.halfLength / truth.halfLength).toBeLessThan(1.25);
    // What no point speaks of stays as it was.
    expect(found.halfBudget).toBeCloseTo(prior.halfBudget, 0);
    const unseen = { tokens: 3000, trials: 8, selection: 'majority' } as const;
    expect(Math.abs(expectedAccuracy(found, unseen) - expectedAccuracy(truth, unseen))).toBeLessThan(0.02);
  });

  it('leans on the prior where there is little else', () => {
    const prior = accuracyPrior('proto', 'countdown')!.parameters;
    const point = { tokens: 220, trials: 1, selection: 'verifier', problems: 0.01, accuracy: 0.1 } as const;
    expect(expectedAccuracy(fitAccuracy([point], prior).parameters, point)).toBeCloseTo(0.85, 1);
  });

  it('refuses to fit nothing', () => {
    expect(() => fitAccuracy([], accuracyPriors()[0]!.parameters)).toThrow(/no points/);
  });
});

describe('priors', () => {
  it('belong to models of the catalogue and say what they stand on', () => {
    for (const { model, evidence, parameters } of accuracyPriors().filter(({ origin }) => origin === 'prior')) {
      const [percent, tokens] = [...evidence.matchAll(/[\d.]+/g)].map(Number) as [number, number];
      const stated = expectedAccuracy(parameters, { tokens, trials: 1, selection: 'verifier' });
      expect(stated).toBeCloseTo(percent / 100, 9);
      expect(catalogueEntry(model).name).toBe(model);
      expect(evidence).toMatch(/ % of single trials within \d+ tokens/);
    }
    expect(accuracyPrior('Qwen3-8B', 'chess')).toBeUndefined();
    // Where nothing is known of a difficulty alone.
    expect(accuracyPrior('proto', 'countdown/3')).toBe(accuracyPrior('proto', 'countdown'));
    expect(priorsOn('aime24').map(({ model }) => model)).toContain('Qwen3-8B');
  });
});

describe('minimise', () => {
  it('finds the bottom of a bowl and of a bent valley', () => {
    const bowl = minimise(([x, y]) => (x! - 3) ** 2 + 10 * (y! + 1) ** 2, [0, 0], 1);
    expect(bowl[0]).toBeCloseTo(3, 4);
    expect(bowl[1]).toBeCloseTo(-1, 4);
    const rosenbrock = minimise(([x, y]) => 100 * (y! - x! ** 2) ** 2 + (1 - x!) ** 2, [-1.2, 1], 0.5);
    expect(rosenbrock[0]).toBeCloseTo(1, 3);
  });
});
