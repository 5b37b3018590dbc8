import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eligible, meanLogprob, SELECTOR_NAMES, selectors } from '../../src/strategies/select.ts';
import type { Candidate } from '../../src/strategies/types.ts';

function candidate(lane: number, over: Partial<Candidate> = {}): Candidate {
  return {
    lane,
    seed: lane,
    reasoning: '',
    answer: 'x',
    tokens: 4,
    finish: 'stop',
    logprob: { sum: -4, count: 4 },
    verdict: null,
    ...over,
  };
}
const right = { correct: true, reason: 'right' };
const wrong = { correct: false, reason: 'wrong' };

/** Candidates of a whole run, lanes 0 … n − 1. */
const runs = fc
  .array(
    fc.record({
      answer: fc.constantFrom('', 'a', 'b', 'c'),
      finish: fc.constantFrom<Candidate['finish']>('stop', 'stop', 'stop', 'length', 'abort', 'pruned'),
      sum: fc.integer({ min: -3, max: 0 }),
      correct: fc.boolean(),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((items) =>
    items.map(({ answer, finish, sum, correct }, lane) =>
      candidate(lane, { answer, finish, logprob: { sum, count: 1 }, verdict: correct ? right : wrong }),
    ),
  );

describe('selectors', () => {
  it('choose only a lane that ended with an answer, and one whenever there is one', () => {
    fc.assert(
      fc.property(runs, fc.constantFrom(...SELECTOR_NAMES), (candidates, name) => {
        const { lane, reason, scores } = selectors[name].select(candidates);
        const lanes = eligible(candidates).map((c) => c.lane);
        expect(reason).toMatch(/^\p{Lu}?.*\.$/u);
        if (lanes.length === 0) expect(lane).toBeNull();
        else expect(lanes).toContain(lane);
        for (const score of scores) expect(lanes).toContain(score.lane);
      }),
    );
  });

  it('do not depend on the order in which candidates are listed', () => {
    fc.assert(
      fc.property(
        runs.chain((c) => fc.tuple(fc.constant(c), fc.shuffledSubarray(c, { minLength: c.length }))),
        fc.constantFrom(...SELECTOR_NAMES),
        ([candidates, shuffled], name) => {
          expect(selectors[name].select(shuffled)).toEqual(selectors[name].select(candidates));
        },
      ),
    );
  });

  it('verifier: never a wrong one while a right one is there, the likeliest of the right', () => {
    fc.assert(
      fc.property(runs, (candidates) => {
        const { lane } = selectors.verifier.select(candidates);
        const good = eligible(candidates).filter((c) => c.verdict?.correct);
        if (good.length === 0) return;
        expect(good.map((c) => c.lane)).toContain(lane);
        expect(meanLogprob(candidates[lane!]!)).toBe(Math.max(...good.map(meanLogprob)));
      }),
    );
  });

  it('majority: no answer has more votes than the chosen one', () => {
    fc.assert(
      fc.property(runs, (candidates) => {
        const { lane } = selectors.majority.select(candidates);
        if (lane === null) return;
        const votes = (answer: string) => eligible(candidates).filter((c) => c.answer === answer).length;
        for (const other of ['a', 'b', 'c']) expect(votes(other)).toBeLessThanOrEqual(votes(candidates[lane]!.answer));
      }),
    );
  });

  it('majority: spelling that does not matter does not split the vote', () => {
    const candidates = [
      candidate(0, { answer: '42' }),
      candidate(1, { answer: '41', logprob: { sum: -1, count: 4 } }),
      candidate(2, { answer: ' 42. ' }),
    ];
    const { lane, reason, scores } = selectors.majority.select(candidates);
    expect(lane).toBe(0);
    expect(reason).toBe('2 of 3 candidates give this answer.');
    expect(scores).toEqual([
      { lane: 0, score: 2 },
      { lane: 1, score: 1 },
      { lane: 2, score: 2 },
    ]);
  });

  it('logprob: the mean, not the sum, and lane order among equals', () => {
    const candidates = [
      candidate(0, { logprob: { sum: -3, count: 1 } }),
      candidate(1, { logprob: { sum: -10, count: 10 } }),
      candidate(2, { logprob: { sum: -5, count: 5 } }),
    ];
    expect(selectors.logprob.select(candidates).lane).toBe(1);
  });

  it('say so when nothing ended with an answer', () => {
    for (const name of SELECTOR_NAMES) {
      expect(selectors[name].select([candidate(0, { answer: '' }), candidate(1, { finish: 'pruned' })])).toEqual({
        lane: null,
        reason: 'No lane reached an answer.',
        scores: [],
      });
    }
  });
});

describe('early stop', () => {
  it('verifier: settled by the first right answer and by nothing else', () => {
    const { settled } = selectors.verifier;
    expect(settled([candidate(0, { verdict: wrong })], 7)).toBeNull();
    expect(settled([candidate(0, { verdict: wrong }), candidate(3, { verdict: right })], 6)).toMatch(
      /passes the verifier/,
    );
    expect(settled([candidate(0, { verdict: right, answer: '' })], 7)).toBeNull();
  });

  it('logprob: never settled early', () => {
    expect(selectors.logprob.settled([candidate(0), candidate(1)], 1)).toBeNull();
  });

  it('majority: settled exactly when no ending of the running lanes changes the winning answer', () => {
    const answers = ['a', 'b', 'new'];
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 3 }), (ended, running) => {
        const winner = (candidates: Candidate[]) => {
          const { lane } = selectors.majority.select(candidates);
          return lane === null ? null : candidates[lane]!.answer;
        };
        const outcomes = new Set<string | null>();
        for (let code = 0; code < answers.length ** running; code++) {
          for (const sum of [0.5, -9]) {
            const more = Array.from({ length: running }, (_, i) =>
              candidate(ended.length + i, {
                answer: answers[Math.floor(code / answers.length ** i) % answers.length]!,
                logprob: { sum, count: 1 },
              }),
            );
            outcomes.add(winner([...ended, ...more]));
          }
        }
        const settled = selectors.majority.settled(ended, running) !== null;
        if (settled) expect(outcomes.size).toBe(1);
        // 'c' is not among what the running lanes may say here, so the converse holds only without it.
        else if (eligible(ended).every((c) => c.answer !== 'c')) expect(outcomes.size).toBeGreaterThan(1);
      }),
      { numRuns: 60 },
    );
  });
});
