/** Fits the accuracy curve to points of an experiment, leaning on a prior where points are few. */
import { checkNumber, ReckonError } from '../errors.ts';
import { type AccuracyParameters, type AccuracyQuestion, expectedAccuracy } from './accuracy.ts';
import { minimise } from './minimise.ts';

/** A point of an experiment: what was asked, and the accuracy it got. */
export interface LabPoint extends AccuracyQuestion {
  /** 0 to 1, mean over problems. */
  readonly accuracy: number;
  /** Problems it is the mean of: its weight. */
  readonly problems: number;
}

/** The parameters on an even footing: any real numbers, and how far each may reasonably be from its prior. */
const FREEDOM = [2, 0.7, 1, 0.5, 1.5, 1] as const;
/** A proportion near 0 or 1 is not as certain as its variance says. */
const LEAST_VARIANCE = 0.02;

const logit = (p: number) => Math.log(p / (1 - p));

function toVector(p: AccuracyParameters): number[] {
  const rivalry = Math.min(0.999, Math.max(0.001, p.rivalry));
  return [
    p.location,
    Math.log(p.spread),
    Math.log(p.halfLength),
    Math.log(p.slope),
    logit(rivalry),
    Math.log(p.halfBudget),
  ];
}

function fromVector(vector: readonly number[]): AccuracyParameters {
  const [location, spread, halfLength, slope, rivalry, halfBudget] = vector as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    location,
    spread: Math.exp(spread),
    halfLength: Math.exp(halfLength),
    slope: Math.exp(slope),
    rivalry: 1 / (1 + Math.exp(-rivalry)),
    halfBudget: Math.exp(halfBudget),
  };
}

export interface AccuracyFit {
  readonly parameters: AccuracyParameters;
  /** Root of the mean squared difference between points and curve, weighted by problems. */
  readonly rmse: number;
}

/**
 * The most probable parameters given the points, with normal errors about the prior (maximum a posteriori).
 * @throws ReckonError `bad-option` without points, or for points that make no sense.
 */
export function fitAccuracy(points: readonly LabPoint[], prior: AccuracyParameters): AccuracyFit {
  if (points.length === 0) {
    throw new ReckonError('bad-option', 'There are no points to fit an accuracy curve to.', {
      hint: 'Use the prior as it is, or run an experiment.',
    });
  }
  for (const [i, point] of points.entries()) {
    checkNumber(`points[${i}].accuracy`, point.accuracy, { min: 0, max: 1 });
    checkNumber(`points[${i}].problems`, point.problems, { min: 0, exclusiveMin: true });
  }
  const expected = toVector(prior);
  const misfit = (vector: readonly number[]) => {
    const parameters = fromVector(vector);
    let sum = 0;
    for (const point of points) {
      const variance = Math.max(LEAST_VARIANCE, point.accuracy * (1 - point.accuracy));
      sum += (point.problems * (expectedAccuracy(parameters, point) - point.accuracy) ** 2) / variance;
    }
    for (const [i, freedom] of FREEDOM.entries()) sum += ((vector[i]! - expected[i]!) / freedom) ** 2;
    return sum;
  };
  // Twice, the second time around the first's result: a simplex may collapse too early.
  const parameters = fromVector(minimise(misfit, minimise(misfit, expected, 0.5, 500), 0.2, 300));
  const weight = points.reduce((sum, { problems }) => sum + problems, 0);
  const squares = points.reduce(
    (sum, point) => sum + point.problems * (expectedAccuracy(parameters, point) - point.accuracy) ** 2,
    0,
  );
  return { parameters, rmse: Math.sqrt(squares / weight) };
}
