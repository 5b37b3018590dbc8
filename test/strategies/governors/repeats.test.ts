import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { denseRepetition, RepeatDetector } from '../../../src/strategies/governors/repeats.ts';

/** By definition: whether the last n tokens stood before. */
function repeats(tokens: readonly number[], n: number): boolean {
  const last = tokens.slice(-n).join();
  if (tokens.length < n) return false;
  for (let end = n; end < tokens.length; end++) if (tokens.slice(end - n, end).join() === last) return true;
  return false;
}

const words = fc.array(fc.nat(2), { maxLength: 60 });
const size = fc.integer({ min: 1, max: 6 });

describe('dense repetition', () => {
  // The published penalty's behaviour on short sequences, N = 3, P = −0.05.
  it.each([
    [
      [1, 2, 3, 1, 2, 3, 1, 2],
      [0, 0, 0, 1, 1, 1, 1, 1],
    ],
    [
      [1, 2, 3, 1, 2, 3, 1, 2, 3, 4, 1, 2, 3],
      [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1],
    ],
  ])('of %j marks %j', (tokens, marks) => {
    expect(denseRepetition(tokens, 3, -0.05)).toEqual(marks.map((mark) => (mark ? -0.05 : 0)));
  });

  it('marks the tokens of passages that stood before, and no others', () => {
    fc.assert(
      fc.property(words, size, (tokens, n) => {
        const expected = tokens.map(() => 0);
        for (let end = n; end <= tokens.length; end++) {
          if (repeats(tokens.slice(0, end), n)) expected.fill(1, end - n, end);
        }
        expect(denseRepetition(tokens, n, 1)).toEqual(expected);
      }),
    );
  });
});

describe('the repeat detector', () => {
  it('agrees with the definition, also after tokens were taken back', () => {
    fc.assert(
      fc.property(
        size,
        fc.array(fc.oneof(fc.nat(2), fc.constant('cut' as const)), { maxLength: 80 }),
        fc.nat(),
        (n, steps, by) => {
          const detector = new RepeatDetector(n);
          let tokens: number[] = [];
          for (const step of steps) {
            if (step === 'cut') {
              tokens = tokens.slice(0, by % (tokens.length + 1));
              detector.truncate(tokens.length);
            } else {
              tokens.push(step);
              expect(detector.push(step)).toBe(repeats(tokens, n));
            }
            expect(detector.length).toBe(tokens.length);
          }
        },
      ),
    );
  });
});
