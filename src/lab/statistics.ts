/** Means and how far to trust them. Every interval is of 95 %. */
import { checkNumber } from '../errors.ts';
import { Random } from '../tasks/index.ts';

/** The normal distribution's 97.5 % quantile. */
const Z95 = 1.959963984540054;

export interface Interval {
  readonly low: number;
  readonly high: number;
}

export interface Estimate extends Interval {
  readonly mean: number;
  /** Which interval: see {@link Bootstrap.accuracy}. */
  readonly method: 'bootstrap' | 'wilson';
}

/** NaN for an empty list. */
export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/**
 * Quantile by linear interpolation between order statistics (Hyndman and Fan's type 7, R's default).
 * @param sorted rising, not empty.
 * @param p from 0 to 1.
 */
export function quantile(sorted: ArrayLike<number>, p: number): number {
  const at = (sorted.length - 1) * p;
  const below = Math.floor(at);
  const low = sorted[below] as number;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] as number;
  return low + (at - below) * (high - low);
}

/**
 * Wilson's score interval of a proportion (Wilson, 1927), without continuity correction.
 * @param successes from 0 to `trials`; need not be whole.
 * @throws ReckonError `bad-option` for counts that make no sense.
 */
export function wilson(successes: number, trials: number): Interval {
  checkNumber('trials', trials, { min: 0, exclusiveMin: true });
  checkNumber('successes', successes, { min: 0, max: trials });
  const p = successes / trials;
  const z2 = Z95 * Z95;
  const centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
  const half = (Z95 / (1 + z2 / trials)) * Math.sqrt((p * (1 - p)) / trials + z2 / (4 * trials * trials));
  // Exactly 0 and 1 at the ends, where the two terms cancel but for rounding.
  return { low: successes === 0 ? 0 : centre - half, high: successes === trials ? 1 : centre + half };
}

/**
 * Draws of a bootstrap over problems: each has as many problems as there are, drawn with replacement. Kept and used for
 * every quantity of an experiment, so that those move together as they would in a repetition.
 */
export class Bootstrap {
  readonly #draws: readonly Uint32Array[];

  /**
   * @param strata how many problems each group has, in the order of the values. Groups keep their sizes: tasks and
   *   difficulties are chosen, not drawn.
   * @param resamples how many draws.
   */
  constructor(strata: readonly number[], resamples: number, seed: number) {
    checkNumber('resamples', resamples, { min: 1, integer: true });
    const random = Random.fromSeed(seed, 'lab/bootstrap');
    const count = strata.reduce((sum, size) => sum + size, 0);
    this.#draws = Array.from({ length: resamples }, () => {
      const draw = new Uint32Array(count);
      let first = 0;
      for (const size of strata) {
        for (let i = 0; i < size; i++) draw[first + i] = first + random.below(size);
        first += size;
      }
      return draw;
    });
  }

  /** Means of the drawn problems' values, rising. */
  means(values: readonly number[]): Float64Array {
    const means = Float64Array.from(this.#draws, (draw) => {
      let sum = 0;
      for (const index of draw) sum += values[index] as number;
      return sum / draw.length;
    });
    return means.sort();
  }

  /** Percentile interval of the mean (Efron, 1979). */
  interval(values: readonly number[]): Interval {
    const means = this.means(values);
    return { low: quantile(means, 0.025), high: quantile(means, 0.975) };
  }

  /**
   * Mean of an accuracy, values from 0 to 1, with its interval. Where draws hardly differ from each other (by a twentieth of a
   * problem: every problem is nearly always solved, or never), the bootstrap would claim certainty: Wilson's interval over
   * as many problems stands in.
   */
  accuracy(values: readonly number[]): Estimate {
    const bootstrap = this.interval(values);
    const middle = mean(values);
    const enough = 1 / (20 * values.length);
    if (bootstrap.high - bootstrap.low > enough) return { mean: middle, ...bootstrap, method: 'bootstrap' };
    return { mean: middle, ...wilson(Math.min(1, middle) * values.length, values.length), method: 'wilson' };
  }
}
