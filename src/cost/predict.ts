/**
 * How long a step will take: t = flops / F + bytes / W + dispatches · o + c, fitted on line to the steps that ran, no term below
 * zero. Begins with the device's calibrated figures, leans on them as long as few steps have been seen, and lets no single stall
 * (a tab in the background, a clock that jumps) pull the fit.
 */
import { checkNumber } from '../errors.ts';
import { checkFigures, type DeviceFigures } from './device-cost.ts';

/** What a step does. */
export interface StepWork {
  readonly flops: number;
  readonly bytes: number;
  readonly dispatches: number;
}

export interface PredictorFit {
  /** FLOPs per second; Infinity where compute never showed. */
  readonly flops: number;
  /** Bytes per second; Infinity where traffic never showed. */
  readonly bandwidth: number;
  readonly dispatchSeconds: number;
  readonly stepSeconds: number;
}

export interface PredictionError {
  /** Predictions made before their step was known. */
  readonly steps: number;
  /** |predicted − measured| / measured: median and nine tenths' quantile of the remembered steps; NaN before the first. */
  readonly median: number;
  readonly p90: number;
}

export interface PredictorOptions {
  /** Steps remembered. Default 256. */
  readonly history?: number;
  /** Steps between two fits, once there are many. Default 16. */
  readonly refitEvery?: number;
}

/** flops, bytes, dispatches, one. */
const TERMS = 4;
type Vector = Float64Array;

/** Seconds that the constant term is measured in. */
const STEP_UNIT = 1e-3;
/** Steps that the calibrated figures count for. */
const PRIOR_STEPS = 0.05;
/** Deviation in units of the typical one, beyond which a step counts less (Huber's k). */
const HUBER = 1.5;
/** Median absolute deviation to standard deviation, for a normal distribution. */
const MAD_TO_SIGMA = 1.4826;
const ROUNDS = 6;

export class StepTimePredictor {
  /** What one unit of each term was expected to take: a step's features are seconds by calibration, coefficients about 1. */
  readonly #units: Vector;
  readonly #history: number;
  readonly #refitEvery: number;
  readonly #features: Vector;
  readonly #seconds: Vector;
  readonly #errors: Vector;
  #coefficients: Vector = new Float64Array([1, 1, 1, 0]);
  #seen = 0;
  #sinceFit = 0;

  /** @throws ReckonError `bad-option` for figures that are no speeds. */
  constructor(figures: DeviceFigures, options: PredictorOptions = {}) {
    const { flops, bandwidth, dispatchSeconds } = checkFigures(figures);
    this.#history = checkNumber('history', options.history ?? 256, { min: 8, max: 65536, integer: true });
    this.#refitEvery = checkNumber('refitEvery', options.refitEvery ?? 16, { min: 1, integer: true });
    // A dispatch measured as free is still given a unit, or the term could never grow.
    this.#units = new Float64Array([1 / flops, 1 / bandwidth, Math.max(dispatchSeconds, 1e-8), STEP_UNIT]);
    this.#features = new Float64Array(this.#history * TERMS);
    this.#seconds = new Float64Array(this.#history);
    this.#errors = new Float64Array(this.#history);
  }

  /** Seconds that a step will take. */
  predict({ flops, bytes, dispatches }: StepWork): number {
    const units = this.#units;
    const c = this.#coefficients;
    return flops * units[0]! * c[0]! + bytes * units[1]! * c[1]! + dispatches * units[2]! * c[2]! + units[3]! * c[3]!;
  }

  /**
   * A step took `seconds`. Times that are no positive numbers are passed over: clocks do such things.
   * @returns what had been predicted for it.
   */
  observe(work: StepWork, seconds: number): number {
    const predicted = this.predict(work);
    if (!(seconds > 0) || !Number.isFinite(seconds)) return predicted;
    const at = this.#seen % this.#history;
    const units = this.#units;
    this.#features.set(
      [work.flops * units[0]!, work.bytes * units[1]!, work.dispatches * units[2]!, units[3]!],
      at * TERMS,
    );
    this.#seconds[at] = seconds;
    this.#errors[at] = Math.abs(predicted - seconds) / seconds;
    this.#seen++;
    this.#sinceFit++;
    // The first steps teach most.
    if (this.#sinceFit >= Math.min(this.#refitEvery, Math.ceil(this.#seen / 4))) {
      this.#fit();
      this.#sinceFit = 0;
    }
    return predicted;
  }

  /** The device as its steps show it. */
  get fit(): PredictorFit {
    const [flops, bytes, dispatch, step] = this.#coefficients.map((c, i) => c * this.#units[i]!) as unknown as [
      number,
      number,
      number,
      number,
    ];
    return { flops: 1 / flops, bandwidth: 1 / bytes, dispatchSeconds: dispatch, stepSeconds: step };
  }

  /** Predicted against measured, over the remembered steps. */
  get error(): PredictionError {
    const errors = this.#errors.slice(0, Math.min(this.#seen, this.#history)).sort();
    const at = (p: number) => (errors.length === 0 ? Number.NaN : errors[Math.floor((errors.length - 1) * p)]!);
    return { steps: this.#seen, median: at(0.5), p90: at(0.9) };
  }

  /** Iteratively reweighted least squares on relative deviations: long steps must not drown short ones. */
  #fit(): void {
    const count = Math.min(this.#seen, this.#history);
    const deviations = new Float64Array(count);
    const sizes = new Float64Array(count);
    const weights = new Float64Array(count).fill(1);
    let coefficients = this.#coefficients;
    for (let round = 0; round < ROUNDS; round++) {
      coefficients = this.#solve(weights, count);
      for (let i = 0; i < count; i++) {
        let predicted = 0;
        for (let term = 0; term < TERMS; term++) predicted += this.#features[i * TERMS + term]! * coefficients[term]!;
        deviations[i] = (predicted - this.#seconds[i]!) / this.#seconds[i]!;
        sizes[i] = Math.abs(deviations[i]!);
      }
      const typical = Math.max(MAD_TO_SIGMA * sizes.sort()[count >> 1]!, 1e-9);
      for (let i = 0; i < count; i++) weights[i] = Math.min(1, (HUBER * typical) / Math.abs(deviations[i]! || 1e-12));
    }
    this.#coefficients = coefficients;
  }

  #solve(weights: Vector, count: number): Vector {
    const matrix = new Float64Array(TERMS * TERMS);
    const right = new Float64Array(TERMS);
    for (let i = 0; i < count; i++) {
      const seconds = this.#seconds[i]!;
      const weight = weights[i]! / (seconds * seconds);
      for (let a = 0; a < TERMS; a++) {
        const feature = this.#features[i * TERMS + a]! * weight;
        right[a]! += feature * seconds;
        for (let b = 0; b < TERMS; b++) matrix[a * TERMS + b]! += feature * this.#features[i * TERMS + b]!;
      }
    }
    // The calibrated figures as a pull on each coefficient, scaled to its term: 1 for the measured ones, 0 for the rest.
    for (let a = 0; a < TERMS; a++) {
      const pull = (PRIOR_STEPS * matrix[a * TERMS + a]!) / count || 1e-12;
      matrix[a * TERMS + a]! += pull;
      if (a < TERMS - 1) right[a]! += pull;
    }
    return nonNegativeLeastSquares(matrix, right, TERMS);
  }
}

/**
 * The x ≥ 0 that minimises ½·xᵀAx − bᵀx, A positive definite: every choice of terms that may differ from zero is tried, which
 * is exact and, for few terms, quick.
 * @param matrix A, row by row.
 */
export function nonNegativeLeastSquares(matrix: Vector, right: Vector, size: number): Vector {
  let best: Vector = new Float64Array(size);
  let least = 0;
  for (let set = 1; set < 1 << size; set++) {
    const terms = Array.from({ length: size }, (_, i) => i).filter((i) => (set >> i) & 1);
    const solution = solvePositive(matrix, right, size, terms);
    if (solution?.every((value) => value >= 0)) {
      // At the minimum over these terms the value is −½·bᵀx.
      const value = -solution.reduce((sum, x, i) => sum + x * right[terms[i]!]!, 0) / 2;
      if (value < least) {
        least = value;
        best = new Float64Array(size);
        for (const [i, term] of terms.entries()) best[term] = solution[i]!;
      }
    }
  }
  return best;
}

/** Solves the equations of `terms` alone by Cholesky; null where they are not positive definite. */
function solvePositive(matrix: Vector, right: Vector, size: number, terms: readonly number[]): number[] | null {
  const n = terms.length;
  const lower = new Float64Array(n * n);
  const x = new Array<number>(n).fill(0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = matrix[terms[i]! * size + terms[j]!]!;
      for (let k = 0; k < j; k++) sum -= lower[i * n + k]! * lower[j * n + k]!;
      if (i === j) {
        if (!(sum > 0)) return null;
        lower[i * n + i] = Math.sqrt(sum);
      } else lower[i * n + j] = sum / lower[j * n + j]!;
    }
    let sum = right[terms[i]!]!;
    for (let k = 0; k < i; k++) sum -= lower[i * n + k]! * x[k]!;
    x[i] = sum / lower[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= lower[k * n + i]! * x[k]!;
    x[i]! /= lower[i * n + i]!;
  }
  return x;
}
