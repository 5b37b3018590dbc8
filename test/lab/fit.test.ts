import { describe, expect, it } from 'vitest';
import { type AccuracyParameters, expectedAccuracy } from '../../src/cost/accuracy.ts';
import { checkExperiment } from '../../src/lab/experiment.ts';
import { type LabReport, reportOf } from '../../src/lab/export.ts';
import { accuracyPoints, fitReport } from '../../src/lab/fit.ts';
import { madeResults } from './made.ts';

/** A report whose points lie on a known curve, as if infinitely many problems had been tried. */
function reportOn(parameters: AccuracyParameters): LabReport {
  const made = reportOf(madeResults());
  const experiment = checkExperiment({
    ...made.experiment,
    n: [1, 2, 4, 8],
    samples: 8,
    thinking: [16, 32, 64, 128, 256],
  });
  const at = (accuracy: number) => ({ mean: accuracy, low: accuracy, high: accuracy, method: 'wilson' as const });
  const points = experiment.thinking.flatMap((thinking) =>
    experiment.n.map((n) => {
      const of = (selection: 'verifier' | 'majority') =>
        at(expectedAccuracy(parameters, { tokens: thinking, trials: n, selection }));
      return {
        ...made.points[0]!,
        group: 'countdown/3',
        thinking,
        kv: 'dense',
        n,
        problems: 5000,
        accuracy: { coverage: of('verifier'), majority: of('majority'), logprob: of('majority') },
      };
    }),
  );
  return { ...made, experiment, points, groups: ['countdown/3'] };
}

describe('fitReport', () => {
  it('finds the curve that the points lie on', () => {
    const truth = { location: 0.6, spread: 1.4, halfLength: 45, slope: 1.8, rivalry: 0.5, halfBudget: 32 };
    const { parameters, origin, evidence } = fitReport(reportOn(truth), 'countdown');
    expect(origin).toBe('fitted');
    expect(evidence).toContain('35 points');
    // Between the points as well, and beyond the trials that were seen.
    for (const tokens of [24, 48, 96, 192]) {
      for (const trials of [1, 3, 8, 16]) {
        for (const selection of ['verifier', 'majority'] as const) {
          const question = { tokens, trials, selection };
          expect(expectedAccuracy(parameters, question)).toBeCloseTo(expectedAccuracy(truth, question), 1.7);
        }
      }
    }
  });

  it('takes every point of the task and none of another', () => {
    const report = reportOf(madeResults());
    const points = accuracyPoints(report, 'knights');
    // Limits 4 and 8, N 1 and 2: one by nobody's choice, two ways for two.
    expect(points).toHaveLength(6);
    expect(points.every(({ accuracy, problems }) => accuracy === 1 && problems === 2)).toBe(true);
    expect(() => fitReport(report, 'chess')).toThrow(/no finished problem of "chess"/);
  });
});
