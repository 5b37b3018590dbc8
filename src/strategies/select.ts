/** How one of several candidates is chosen, and when the running ones can no longer change that choice. */
import { normaliseAnswer } from '../text/answer.ts';
import type { Candidate } from './types.ts';

export const SELECTOR_NAMES = ['verifier', 'majority', 'logprob'] as const;
export type SelectorName = (typeof SELECTOR_NAMES)[number];

export interface Selection {
  /** Null when no candidate ended with an answer. */
  readonly lane: number | null;
  /** One sentence. */
  readonly reason: string;
  /** What each eligible candidate was judged by, where that was not known when it ended: votes, log-probability. */
  readonly scores: readonly { readonly lane: number; readonly score: number }[];
}

export interface Selector {
  /** Chooses among all candidates of a run that is over. */
  select(candidates: readonly Candidate[]): Selection;
  /**
   * Whether the choice is made while `running` lanes still think: one sentence saying why, or null while it is open.
   * @param ended candidates that have ended so far.
   */
  settled(ended: readonly Candidate[], running: number): string | null;
}

/** Candidates that ended by themselves and said something, by lane; a cut-off answer is nobody's choice. */
export function eligible(candidates: readonly Candidate[]): Candidate[] {
  return candidates
    .filter((c) => (c.finish === 'stop' || c.finish === 'length') && c.answer !== '')
    .sort((a, b) => a.lane - b.lane);
}

/** Mean log-probability of the sampled tokens; −∞ when none were sampled. */
export function meanLogprob(candidate: Candidate): number {
  const { sum, count } = candidate.logprob;
  return count > 0 ? sum / count : Number.NEGATIVE_INFINITY;
}

/** The likeliest candidate; the lowest lane among equals. */
function likeliest(candidates: readonly Candidate[]): Candidate | null {
  const [best = null] = [...candidates].sort((a, b) => {
    const [one, other] = [meanLogprob(a), meanLogprob(b)];
    return one === other ? a.lane - b.lane : other - one;
  });
  return best;
}

const NOTHING: Selection = { lane: null, reason: 'No lane reached an answer.', scores: [] };

const verifier: Selector = {
  select(candidates) {
    const able = eligible(candidates);
    const right = able.filter((c) => c.verdict?.correct);
    const best = likeliest(right.length > 0 ? right : able);
    if (!best) return NOTHING;
    if (right.length === 0) {
      const reason = 'No candidate passes the verifier; this one has the highest mean log-probability.';
      return { lane: best.lane, reason, scores: [] };
    }
    const reason =
      right.length === 1
        ? 'It is the only candidate that passes the verifier.'
        : `${right.length} candidates pass the verifier; this one has the highest mean log-probability of them.`;
    return { lane: best.lane, reason, scores: [] };
  },
  // A second right answer may be likelier, but not righter.
  settled: (ended) =>
    eligible(ended).some((c) => c.verdict?.correct) ? 'Another candidate already passes the verifier.' : null,
};

/** Candidates by normalised answer. */
function ballots(candidates: readonly Candidate[]): Map<string, Candidate[]> {
  const votes = new Map<string, Candidate[]>();
  for (const candidate of eligible(candidates)) {
    const answer = normaliseAnswer(candidate.answer);
    const same = votes.get(answer);
    if (same) same.push(candidate);
    else votes.set(answer, [candidate]);
  }
  return votes;
}

const majority: Selector = {
  select(candidates) {
    const votes = [...ballots(candidates).values()];
    const most = Math.max(0, ...votes.map((same) => same.length));
    const leaders = votes.filter((same) => same.length === most);
    // Each answer is represented by its likeliest candidate, which also settles ties between answers.
    const best = likeliest(leaders.flat());
    if (!best) return NOTHING;
    const all = votes.reduce((sum, same) => sum + same.length, 0);
    const scores = votes
      .flatMap((same) => same.map((c) => ({ lane: c.lane, score: same.length })))
      .sort((a, b) => a.lane - b.lane);
    const share = `${most} of ${all} candidates ${most === 1 ? 'gives' : 'give'} this answer`;
    const tie =
      leaders.length === 1
        ? ''
        : `; ${leaders.length} answers have as many votes and it has the highest mean log-probability`;
    return { lane: best.lane, reason: `${share}${tie}.`, scores };
  },
  settled(ended, running) {
    const counts = [...ballots(ended).values()].map((same) => same.length).sort((a, b) => b - a);
    const [first = 0, second = 0] = counts;
    // Strictly more: a tie would be decided by log-probability, and could still turn.
    return first > second + running ? 'The majority can no longer change.' : null;
  },
};

const logprob: Selector = {
  select(candidates) {
    const able = eligible(candidates);
    const best = likeliest(able);
    if (!best) return NOTHING;
    const scores = able
      .map((c) => ({ lane: c.lane, score: meanLogprob(c) }))
      .filter(({ score }) => Number.isFinite(score));
    return { lane: best.lane, reason: 'It has the highest mean log-probability.', scores };
  },
  settled: () => null,
};

export const selectors: Readonly<Record<SelectorName, Selector>> = { verifier, majority, logprob };
