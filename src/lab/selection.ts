/**
 * What Best-of-N would have got from N of the S chains that were drawn, over all ways to choose those N: accuracy of a
 * perfect verifier (coverage), of the majority and of the likeliest chain.
 */
import { coverage } from '../cost/allocation.ts';
import { checkNumber } from '../errors.ts';
import { normaliseAnswer } from '../text/answer.ts';
import { sets } from './sets.ts';
import type { Sample } from './store.ts';

export const SELECTIONS = ['coverage', 'majority', 'logprob'] as const;
export type Selection = (typeof SELECTIONS)[number];

/** What of a sample decides who is chosen. */
export type Votable = Pick<Sample, 'answer' | 'correct' | 'finish' | 'logprob'>;

/** Sets of N chains that a majority is looked at in. */
const MOST_SETS = 1000;

/** A chain as the choice sees it. */
interface Voter {
  readonly correct: boolean;
  /** Number of its answer among the different ones; -1 where it has none and cannot be chosen. */
  readonly answer: number;
}

/** The chains from the likeliest on, the earlier first among equals, as the selectors of `strategies/` have it. */
function ranked(samples: readonly Votable[]): Voter[] {
  const likelihood = ({ logprob: { sum, count } }: Votable) => (count > 0 ? sum / count : Number.NEGATIVE_INFINITY);
  const answers = new Map<string, number>();
  return samples
    .map((sample, index) => ({ sample, index, mean: likelihood(sample) }))
    .sort((a, b) => (a.mean === b.mean ? a.index - b.index : b.mean - a.mean))
    .map(({ sample: { answer, correct } }) => {
      if (answer === '') return { correct: false, answer: -1 };
      const key = normaliseAnswer(answer);
      const number = answers.get(key) ?? answers.size;
      answers.set(key, number);
      return { correct, answer: number };
    });
}

/**
 * Probability that the first in `order` of N chains, drawn without replacement, is right. Exact.
 * @param order those that can be chosen, the preferred first.
 * @param total chains to draw from.
 */
function firstRight(order: readonly Voter[], total: number, n: number): number {
  let right = 0;
  // That none of those before this one was drawn.
  let noneBefore = 1;
  for (const [rank, { correct }] of order.entries()) {
    // Then the n drawn are among the `total - rank` left, this one with probability n over that.
    const drawn = Math.min(1, n / (total - rank));
    if (correct) right += noneBefore * drawn;
    noneBefore *= 1 - drawn;
    if (noneBefore === 0) break;
  }
  return right;
}

/** The choice of the majority among `chosen` (ranks, rising): whether it is right. */
function majorityRight(voters: readonly Voter[], chosen: ArrayLike<number>, votes: Uint32Array): boolean {
  votes.fill(0);
  let most = 0;
  for (let i = 0; i < chosen.length; i++) {
    const { answer } = voters[chosen[i] as number] as Voter;
    if (answer >= 0) {
      const count = (votes[answer] as number) + 1;
      votes[answer] = count;
      if (count > most) most = count;
    }
  }
  // The likeliest of those that give an answer with the most votes stands for it.
  for (let i = 0; i < chosen.length; i++) {
    const { answer, correct } = voters[chosen[i] as number] as Voter;
    if (answer >= 0 && votes[answer] === most) return correct;
  }
  return false;
}

/** Probability that the majority of N chains is right; by {@link MOST_SETS} random sets where there are more. */
function majorityOf(voters: readonly Voter[], n: number, seed: number): number {
  const votes = new Uint32Array(voters.length);
  let [right, looked] = [0, 0];
  for (const chosen of sets(voters.length, n, MOST_SETS, seed)) {
    looked++;
    if (majorityRight(voters, chosen, votes)) right++;
  }
  return right / looked;
}

/**
 * Expected accuracy of Best-of-N on one problem, from the samples drawn for it.
 * @param n at most as many as there are samples.
 * @param seed of the sets that a majority is estimated from.
 * @throws ReckonError `bad-option` for any other `n`.
 */
export function selectionAccuracy(
  samples: readonly Votable[],
  n: number,
  seed: number,
): Readonly<Record<Selection, number>> {
  checkNumber('n', n, { min: 1, max: samples.length, integer: true });
  const voters = ranked(samples);
  const able = voters.filter(({ answer }) => answer >= 0);
  return {
    coverage: coverage(voters.length, voters.filter(({ correct }) => correct).length, n),
    majority: majorityOf(voters, n, seed),
    logprob: firstRight(able, voters.length, n),
  };
}
