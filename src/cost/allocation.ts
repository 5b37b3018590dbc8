/**
 * Where compute goes best when the right answers are known: the paper's Algorithms 1 and 2. For every task of its own the best
 * point of a grid within a limit of cost. Needs ground truth, so it judges plans afterwards; for plans beforehand: planner.ts.
 */
import { checkNumber, ReckonError } from '../errors.ts';

/**
 * Coverage: the chance that at least one of `n` samples is right, estimated without bias from `total` of which `correct` are
 * (pass@k of Chen et al. 2021): 1 − C(total − correct, n) / C(total, n), as a product that neither overflows nor cancels.
 * @throws ReckonError `bad-option` for counts that make no sense.
 */
export function coverage(total: number, correct: number, n: number): number {
  checkNumber('total', total, { min: 1, integer: true });
  checkNumber('correct', correct, { min: 0, max: total, integer: true });
  checkNumber('n', n, { min: 1, max: total, integer: true });
  if (correct > total - n) return 1;
  let allWrong = 1;
  // Of the two ways to write the product the shorter has the smaller error.
  if (n <= correct) for (let i = 0; i < n; i++) allWrong *= (total - correct - i) / (total - i);
  else for (let i = 0; i < correct; i++) allWrong *= (total - n - i) / (total - i);
  return 1 - allWrong;
}

/** One thing that could be done for a task. */
export interface GridPoint<Choice> {
  readonly choice: Choice;
  /** Expected, in whatever unit the limit has. */
  readonly cost: number;
  /** Expected accuracy, 0 to 1. */
  readonly accuracy: number;
}

export interface Allocation<Choice> {
  /** Mean over the tasks; one that nothing affordable solves counts 0. */
  readonly accuracy: number;
  /** Mean cost of what was chosen; tasks without a choice cost nothing. */
  readonly cost: number;
  /** For each task the best point within the limit, the cheapest of equals; null where nothing is affordable. */
  readonly chosen: readonly (GridPoint<Choice> | null)[];
}

/**
 * The oracle: for each task the best point that costs at most `limit`. The limit is one of each task; nothing is moved between
 * them.
 * @param tasks the points of each task.
 * @throws ReckonError `bad-option` without tasks.
 */
export function allocate<Choice>(tasks: readonly (readonly GridPoint<Choice>[])[], limit: number): Allocation<Choice> {
  if (tasks.length === 0) {
    throw new ReckonError('bad-option', 'There are no tasks to allocate to.', { hint: 'Give at least one.' });
  }
  const chosen = tasks.map((points) => {
    let best: GridPoint<Choice> | null = null;
    for (const point of points) {
      if (!(point.cost <= limit)) continue;
      if (
        best === null ||
        point.accuracy > best.accuracy ||
        (point.accuracy === best.accuracy && point.cost < best.cost)
      ) {
        best = point;
      }
    }
    return best;
  });
  const mean = (of: (point: GridPoint<Choice>) => number) =>
    chosen.reduce((sum, point) => sum + (point ? of(point) : 0), 0) / tasks.length;
  return { accuracy: mean(({ accuracy }) => accuracy), cost: mean(({ cost }) => cost), chosen };
}

/** A sample that ran to its end (or to the cap of its experiment). */
export interface TraceSample {
  /** Tokens generated. */
  readonly tokens: number;
  readonly correct: boolean;
}

/** Samples of one task, all drawn alike. */
export interface SampleSet<Setting> {
  /** How they were drawn: a KV budget, a model, or both. */
  readonly setting: Setting;
  readonly prompt: number;
  readonly samples: readonly TraceSample[];
}

/**
 * Algorithm 1's grid of a task: every number of trials under every setting, each with its coverage from the same samples.
 * @param trials numbers of trials; those above a set's samples have no estimate and are left out.
 * @param cost expected cost of `trials` trials with the lengths of these samples (mean over them: Eq. 10).
 */
export function bestOfNGrid<Setting>(
  sets: readonly SampleSet<Setting>[],
  trials: readonly number[],
  cost: (set: SampleSet<Setting>, lengths: readonly number[], trials: number) => number,
): GridPoint<{ setting: Setting; trials: number }>[] {
  return sets.flatMap((set) => {
    const { setting, samples } = set;
    const correct = samples.filter((sample) => sample.correct).length;
    const lengths = samples.map((sample) => sample.tokens);
    return trials
      .filter((n) => n <= samples.length)
      .map((n) => ({
        choice: { setting, trials: n },
        cost: cost(set, lengths, n),
        accuracy: coverage(samples.length, correct, n),
      }));
  });
}

/** Samples of one task under several caps on their length. */
export interface CappedSet<Setting> {
  readonly setting: Setting;
  readonly prompt: number;
  /** Most tokens generated. */
  readonly cap: number;
  readonly samples: readonly TraceSample[];
}

/** Algorithm 2's grid of a task: one trial under every cap and setting; the accuracy is the mean over the samples. */
export function longCotGrid<Setting>(
  sets: readonly CappedSet<Setting>[],
  cost: (set: CappedSet<Setting>, lengths: readonly number[]) => number,
): GridPoint<{ setting: Setting; cap: number }>[] {
  return sets
    .filter(({ samples }) => samples.length > 0)
    .map((set) => {
      const { setting, cap, samples } = set;
      const correct = samples.filter((sample) => sample.correct).length;
      return {
        choice: { setting, cap },
        cost: cost(
          set,
          samples.map((sample) => sample.tokens),
        ),
        accuracy: correct / samples.length,
      };
    });
}

/**
 * `count` numbers from `from` to `to`, each the same factor above the one before.
 * @throws ReckonError `bad-option`
 */
export function logSpaced(from: number, to: number, count: number): number[] {
  checkNumber('from', from, { min: 0, exclusiveMin: true });
  checkNumber('to', to, { min: from });
  checkNumber('count', count, { min: 2, integer: true });
  return Array.from({ length: count }, (_, i) =>
    i === count - 1 ? to : from * Math.exp((Math.log(to / from) * i) / (count - 1)),
  );
}

/** The oracle's accuracy at each of `limits`: the frontier of a model, or of several where their points are mixed. */
export function frontier<Choice>(
  tasks: readonly (readonly GridPoint<Choice>[])[],
  limits: readonly number[],
): { limit: number; allocation: Allocation<Choice> }[] {
  return limits.map((limit) => ({ limit, allocation: allocate(tasks, limit) }));
}
