import { describe, expect, it } from 'vitest';
import { encodeFamily } from '../../src/tasks/corpus/index.ts';
import { Random } from '../../src/tasks/random.ts';
import { recall } from '../../src/tasks/recall/task.ts';

/** The number at the end of a chain, by the prompt's text alone. */
function endOf(prompt: string): string {
  let [, at] = /Follow (\w\d)\.$/.exec(prompt)!;
  for (;;) {
    const next = new RegExp(`[ ,]${at}=(\\w+)`).exec(prompt);
    if (!next) return at!;
    at = next[1];
  }
}

describe('recall', () => {
  it('poses lists of the length asked for, each name once, with an end that is found by reading', () => {
    for (const difficulty of recall.difficulties) {
      for (let seed = 0; seed < 12; seed++) {
        const problem = recall.generate(seed, difficulty);
        const names = [...problem.prompt.matchAll(/(\w\d)=/g)].map(([, name]) => name);
        expect(names).toHaveLength(difficulty);
        expect(new Set(names).size).toBe(difficulty);
        const end = endOf(problem.prompt);
        expect(end).toMatch(/^\d\d$/);
        expect(recall.verify(problem, end).correct).toBe(true);
        expect(recall.verify(problem, String(Number(end) + 1)).correct).toBe(false);
        expect(recall.parse(problem.prompt)).toEqual(problem);
        const trace = recall.trace(problem, Random.fromSeed(seed), 'recheck');
        const text = problem.prompt + trace?.steps.map((step) => step.text).join('\n');
        expect(encodeFamily(text).length).toBeLessThan(1800);
      }
    }
  });

  it.each([
    ['hello', /no list to follow/],
    ['Given a1=b2.', /list or the question is missing/],
    ['Given a1=bob. Follow a1.', /Entry 1 is "a1=bob"/],
    ['Given a1=2,a1=3. Follow a1.', /stands in the list twice/],
    ['Given a1=b2. Follow a1.', /b2 is not in the list/],
    ['Given a1=b2,b2=a1. Follow a1.', /round in a circle/],
  ])('typed as %j is refused', (text, message) => {
    expect(() => recall.parse(text)).toThrow(message);
  });

  it('knows a link, what stands before it, a wrong one, and one that is beside the chain', () => {
    const problem = recall.parse('Given b3=41,q4=z7,c1=9,z7=b3. Follow q4.');
    const scores = (...lines: string[]) => recall.check(problem, lines).map(({ score }) => score);
    expect(scores('b3=41', 'q4=z7', 'c1=9', 'z7=b3', 'b3=41')).toEqual([9, 9, 9, 9, 9]);
    expect(scores('q4=b3', 'b3=41', 'Wait, q4=z7 no', 'back q4', 'q4=z7')).toEqual([0, 7, 9, 9, 9]);
    expect(scores('c1=9', 'z7=b3', 'back z7', 'Wait, q4=z7 yes')).toEqual([3, 3, 3, 3]);
  });
});
