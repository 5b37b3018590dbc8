import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, type ReckonError } from '../../src/errors.ts';
import { PUBLISHED_KNIGHTS, traceStatistics } from '../../src/tasks/corpus/index.ts';
import { type Claim, evaluate, solveIslanders } from '../../src/tasks/islanders/claims.ts';
import { islanders } from '../../src/tasks/islanders/task.ts';
import { claimText } from '../../src/tasks/islanders/wording.ts';

const PEOPLE = ['Alice', 'Bob', 'Carol', 'David'];

function caught(run: () => unknown): ReckonError {
  try {
    run();
  } catch (error) {
    if (isReckonError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A claim of English turned into JavaScript: another reading than the task's own. */
function truthOf(english: string, knights: Record<string, boolean>): boolean {
  const words = english.split(' ');
  let at = 0;
  const next = (...expected: string[]) => {
    for (const word of expected) expect(words[at++]).toBe(word);
  };
  const part = (): string => {
    const word = words[at];
    if (word === 'it') {
      next('it', 'is', 'not', 'true', 'that');
      return `!(${part()})`;
    }
    if (word === 'both' || word === 'either') {
      at++;
      const left = part();
      next(word === 'both' ? 'and' : 'or');
      return `(${left} ${word === 'both' ? '&&' : '||'} ${part()})`;
    }
    at++;
    next('is', 'a');
    return `(${knights[word as string]} === ${words[at++] === 'knight'})`;
  };
  const whole = (): string => {
    if (words[at] === 'if') {
      at++;
      const left = part();
      next('then');
      return `(!${left} || ${part()})`;
    }
    const left = part();
    if (at === words.length) return left;
    if (words[at] === 'if') {
      next('if', 'and', 'only', 'if');
      return `(${left} === ${part()})`;
    }
    return `(${left} ${words[at++] === 'and' ? '&&' : '||'} ${part()})`;
  };
  const code = whole();
  expect(at).toBe(words.length);
  return new Function(`return ${code}`)() as boolean;
}

/** Right answers by the prompt's words alone, apart from the task's own logic. */
function answersFromWords(prompt: string): string[] {
  const said = prompt
    .split(/(?<=\.) /)
    .map((sentence) => /^(\w+) (?:says that|says|claims that|tells you that) (.*)\.$/.exec(sentence)!);
  const people = said.map(([, speaker]) => speaker!);
  const found: string[] = [];
  for (let bits = 0; bits < 1 << people.length; bits++) {
    const knights = Object.fromEntries(people.map((name, i) => [name, ((bits >> i) & 1) === 1]));
    if (!said.every(([, speaker, claim]) => truthOf(claim!, knights) === knights[speaker!])) continue;
    found.push(people.map((name) => `${name} is a ${knights[name] ? 'knight' : 'knave'}`).join(', '));
  }
  return found;
}

const part: fc.Memo<Claim> = fc.memo((depth) =>
  depth <= 1
    ? fc.record({ kind: fc.constant('is' as const), who: fc.nat(PEOPLE.length - 1), knight: fc.boolean() })
    : fc.oneof(
        part(1),
        part(depth - 1).map((of) => ({ kind: 'not' as const, of })),
        fc
          .tuple(fc.constantFrom('and' as const, 'or' as const), part(depth - 1), part(depth - 1))
          .map(([kind, left, right]) => ({ kind, left, right })),
      ),
);
const claim: fc.Arbitrary<Claim> = fc.oneof(
  part(3),
  fc
    .tuple(fc.constantFrom('if' as const, 'iff' as const), part(3), part(3))
    .map(([kind, left, right]) => ({ kind, left, right })),
);

describe('islanders: claims', () => {
  it('mean in English what they mean here', () => {
    fc.assert(
      fc.property(claim, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (one, knights) => {
        const byName = Object.fromEntries(PEOPLE.map((name, i) => [name, knights[i]!]));
        expect(evaluate(one, knights)).toBe(truthOf(claimText(one, PEOPLE), byName));
      }),
      { numRuns: 300 },
    );
  });

  it('are open only while they can still turn out either way, and settle for good', () => {
    const known = fc.array(fc.constantFrom(true, false, null), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(claim, known, fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }), (one, some, rest) => {
        const value = evaluate(one, some);
        if (value === null) return;
        const all = some.map((knight, i) => knight ?? rest[i]!);
        expect(evaluate(one, all)).toBe(value);
      }),
    );
  });
});

describe('islanders: puzzles', () => {
  it('are the same for ever', () => {
    expect([2, 4].map((d) => islanders.generate(1, d).prompt)).toMatchInlineSnapshot(`
      [
        "Yara says that Carol is a knave if and only if Yara is a knight. Carol says that if Yara is a knight then Yara is a knave.",
        "Zoe tells you that Iris is a knight or Yara is a knave. Iris says Olivia is a knave if and only if Yara is a knight. Yara says if Iris is a knave then Zoe is a knave. Olivia tells you that Yara is a knave.",
      ]
    `);
  });

  it('have exactly one solution by their own words, which alone is accepted, and are read back as they were', () => {
    const random = fc.tuple(fc.nat(1e9), fc.constantFrom(...islanders.difficulties));
    fc.assert(
      fc.property(random, ([seed, difficulty]) => {
        const problem = islanders.generate(seed, difficulty);
        const answers = answersFromWords(problem.prompt);
        expect(answers).toHaveLength(1);
        expect(islanders.verify(problem, answers[0]!).correct).toBe(true);
        expect(
          islanders.verify(
            problem,
            answers[0]!.replace(/knight|knave/, (k) => (k === 'knight' ? 'knave' : 'knight')),
          ).correct,
        ).toBe(false);
        expect(islanders.parse(problem.prompt)).toEqual(problem);
        expect(solveIslanders(problem.data as never)).toHaveLength(1);
      }),
      { numRuns: 60 },
    );
  });

  it('are the same puzzle under other names and another wording', () => {
    const one = islanders.parse(
      'Alice says that Bob is a knave. Bob claims that if Alice is a knight then Bob is a knave.',
    );
    const other = islanders.parse('Zoe says Yara is a knave. Yara tells you if Zoe is a knight, then Yara is a knave');
    expect(islanders.canonical(other)).toBe(islanders.canonical(one));
    const third = islanders.parse('Zoe says Yara is a knave. Yara says if Zoe is a knave then Yara is a knight');
    expect(islanders.canonical(third)).not.toBe(islanders.canonical(one));
  });

  it.each([
    ['', /At the end: expected a person: Alice, Bob, Carol … Zoe/],
    ['Alice thinks Bob is a knave.', /At character 7 \("thinks"\): expected "says", "claims" or "tells you"/],
    ['Alice says Bob is a spy.', /At character 21 \("spy"\): expected "knight" or "knave"/],
    ['Alice says Bob is knave.', /At character 19 \("knave"\): expected "a"/],
    ['Alice says if Bob is a knave.', /At character 29 \("\."\): expected "then"/],
    ['Alice says both Bob is a knave or Alice is a knight.', /At character 32 \("or"\): expected "and"/],
    ['Alice says Alice is a knight.', /Only Alice takes part/],
    ['Alice says Alice is a knave. Bob says Alice is a knight.', /no assignment fits/],
    ['Alice says Bob is a knight. Bob says Alice is a knight.', /more than one solution/],
    [`Alice says ${'it is not true that '.repeat(30)}Bob is a knave.`, /nested too deeply/],
  ])('typed as %j are refused', (text, message) => {
    const error = caught(() => islanders.parse(text));
    expect(error.code).toBe('bad-problem');
    expect(error.message).toMatch(message);
  });

  it.each([
    ['', /no answer/],
    ['Alice is a knight', /says nothing of Bob/],
    ['Alice is a knight, Bob is a knave, Zoe is a knave', /Zoe is not in the puzzle/],
    ['Alice is a knight, Alice is a knight', /Alice is named twice/],
    ['Alice is a knight, Bob is a knave.', /not of the form/],
    [
      'Alice is a knight, Bob is a knight',
      /Alice is said to be a knight, but claims what is false: "Bob is a knave and/,
    ],
    ['Alice is a knave, Bob is a knave', /Alice is said to be a knave, but speaks true/],
  ])('answered by %j are refused', (answer, reason) => {
    const problem = islanders.parse('Alice says Bob is a knave and Alice is a knave. Bob says Alice is a knave.');
    const verdict = islanders.verify(problem, answer);
    expect(verdict.correct).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });
});

describe('islanders: searches', () => {
  it.each([3, 4, 5, 6, 7])('of %d people fail as often, and are as long, as those published', (people) => {
    const { nodes, failed } = traceStatistics(islanders, people, 250, 1);
    const published = PUBLISHED_KNIGHTS[people]!;
    // Four standard errors of a mean over 250 searches, about.
    expect(Math.abs(failed.mean - published.failed)).toBeLessThan(0.06);
    expect(Math.abs(nodes / published.nodes - 1)).toBeLessThan(0.15);
  });
});
