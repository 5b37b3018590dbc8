import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, type ReckonError } from '../../src/errors.ts';
import { knights } from '../../src/tasks/knights.ts';
import { assignmentText, type KnightsData, solveKnights } from '../../src/tasks/knights-logic.ts';
import { anyText } from '../support/any-text.ts';

function caught(run: () => unknown): ReckonError {
  try {
    run();
  } catch (error) {
    if (isReckonError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** The only right answer, found from the prompt's words alone, apart from the task's own logic. */
function answerFromWords(prompt: string, people: string[]): string[] {
  const found: string[] = [];
  for (let bits = 0; bits < 1 << people.length; bits++) {
    const knight = (name: string) => ((bits >> people.indexOf(name)) & 1) === 1;
    const isTrue = (claim: string): boolean => {
      const two = / (and|or) (?=[A-H] is)/.exec(claim);
      if (two) {
        const [l, r] = [isTrue(claim.slice(0, two.index)), isTrue(claim.slice(two.index + two[0].length))];
        return two[1] === 'and' ? l && r : l || r;
      }
      const [, a, b, how] = /^([A-H]) (?:and ([A-H]) are|is a) (.*)$/.exec(claim)!;
      if (b) return (knight(a!) === knight(b)) === (how === 'the same');
      return knight(a!) === (how === 'knight');
    };
    const fits = prompt.split(/(?<=\.) /).every((sentence) => {
      const [, speaker, claim] = /^([A-H]) says (.*)\.$/.exec(sentence)!;
      return isTrue(claim!) === knight(speaker!);
    });
    if (fits) found.push(people.map((name) => `${name} is a ${knight(name) ? 'knight' : 'knave'}`).join(', '));
  }
  return found;
}

describe('knights generator', () => {
  it('gives the same problems for ever', () => {
    const prompts = [2, 3, 5].flatMap((d) => [0, 7].map((seed) => knights.generate(seed, d).prompt));
    expect(prompts).toMatchInlineSnapshot(`
      [
        "A says B is a knave and A is a knave. B says A and B are different.",
        "A says B and A are different. B says B is a knave and A is a knave.",
        "A says B is a knave and C is a knave. B says A and B are the same. C says C is a knight or A is a knave.",
        "A says C and B are different. B says A is a knave. C says A is a knave.",
        "A says C is a knight or D is a knave. B says E is a knave and B is a knave. C says A is a knight. D says A and B are different. E says A is a knight or B is a knight.",
        "A says D is a knight or B is a knight. B says A and C are the same. C says A is a knave. D says E and A are the same. E says A is a knave and D is a knave.",
      ]
    `);
  });

  it('poses problems with exactly one solution, which the verifier accepts and nothing else', () => {
    for (const difficulty of knights.difficulties) {
      for (let seed = 0; seed < 25; seed++) {
        const problem = knights.generate(seed, difficulty);
        const people = [...'ABCDEFGH'.slice(0, difficulty)];
        const answers = answerFromWords(problem.prompt, people);
        expect(answers).toHaveLength(1);
        expect(knights.verify(problem, answers[0]!).correct).toBe(true);
        for (let bits = 0; bits < 1 << Math.min(difficulty, 4); bits++) {
          const who = new Map(people.map((name, i) => [name, ((bits >> i) & 1) === 1]));
          const text = assignmentText(people, who);
          expect(knights.verify(problem, text).correct).toBe(text === answers[0]);
        }
        expect(knights.parse(problem.prompt)).toEqual(problem);
      }
    }
  });

  it('refuses other difficulties', () => {
    expect(caught(() => knights.generate(1, 9)).message).toMatch(/no difficulty 9.*2, 3/);
  });
});

describe('knights verifier', () => {
  const problem = knights.parse('A says B and A are different. B says A and B are the same.');

  it.each(['A is a knight, B is a knave', 'B is a knave ,  A is a knight\n'])('accepts %j', (answer) => {
    expect(knights.verify(problem, answer).correct).toBe(true);
  });

  it.each([
    ['', /no answer/],
    ['A is a knight', /says nothing of B/],
    ['A is a knight, B is a knave, C is a knave', /C is not in the puzzle/],
    ['A is a knight, A is a knight', /A is named twice/],
    ['A is a knight, B is a knave.', /"B is a knave\." is not of the form/],
    ['A is knight, B is a knave', /"A is knight" is not of the form/],
    ['A is a knight, B is a knight', /A is said to be a knight, but claims what is false: "B and A are different"/],
    ['A is a knave, B is a knight', /A is said to be a knave, but speaks true: "B and A are different"/],
    ['A is a knave, '.repeat(200), /2799 characters/],
  ])('refuses %j', (answer, reason) => {
    const verdict = knights.verify(problem, answer);
    expect(verdict.correct).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });

  it('never throws', () => {
    const word = fc.constantFrom('A', 'B', 'is', 'a', 'knight', 'knave', ',', ' ', '\n', '<', '__proto__');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(word).map((w) => w.join(' ')),
          anyText(),
        ),
        (answer) => {
          expect(typeof knights.verify(problem, answer).correct).toBe('boolean');
        },
      ),
    );
  });
});

describe('knights parser', () => {
  it('reads loose spelling into the trained form', () => {
    const problem = knights.parse('a says that B and a are DIFFERENT.\n b  says A is a knight and B is a knave');
    expect(problem.prompt).toBe('A says B and A are different. B says A is a knight and B is a knave.');
    expect(solveKnights(problem.data as KnightsData)).toHaveLength(1);
  });

  it('allows people who say nothing', () => {
    const problem = knights.parse(
      'A says A is a knight or C is a knight. B says A and C are different. A says B is a knave',
    );
    expect(problem.difficulty).toBe(3);
    expect(problem.prompt.split('. ')).toHaveLength(3);
  });

  it.each([
    ['', /At the end: expected a person, named by a letter from A to H/],
    ['A says Bob is a knight.', /At character 8 \("Bob"\): expected a person/],
    ['A says Z is a knight.', /At character 8 \("Z"\): expected a person/],
    ['A thinks B is a knave.', /At character 3 \("thinks"\): expected "says"/],
    ['A says B is a spy.', /At character 15 \("spy"\): expected "knight" or "knave"/],
    ['A says B is knave.', /At character 13 \("knave"\): expected "a"/],
    ['A says B and A are alike.', /At character 20 \("alike"\): expected "the" or "different"/],
    ['A says B and B are different.', /both are B/],
    ['A says B is a knave B says A is a knave.', /At character 21 \("B"\): expected "\."/],
    ['A says B is a', /At the end: expected "knight"/],
    ['A says A is a knight.', /Only A takes part/],
    ['A says A is a knave. B says A is a knight.', /no assignment fits/],
    ['A says B is a knight. B says A is a knight.', /more than one solution: "A is a knave, B is a knave", but also/],
  ])('refuses %j', (text, message) => {
    const error = caught(() => knights.parse(text));
    expect(error.code).toBe('bad-problem');
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });
});
