import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError, type ReckonError } from '../../src/errors.ts';
import { type CountdownData, countdown } from '../../src/tasks/countdown.ts';
import { formatSteps, nearestTarget, solveCountdown } from '../../src/tasks/countdown-solver.ts';
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

/** Every value reachable with all numbers: plain recursion over pairs, written apart from the solver. */
function reachable(numbers: readonly number[], into = new Set<number>()): Set<number> {
  if (numbers.length === 1) return into.add(numbers[0]!);
  for (let i = 0; i < numbers.length; i++) {
    for (let j = 0; j < numbers.length; j++) {
      if (i === j) continue;
      const [a, b] = [numbers[i]!, numbers[j]!];
      const rest = numbers.filter((_, k) => k !== i && k !== j);
      reachable([...rest, a + b], into);
      reachable([...rest, a * b], into);
      if (a >= b) reachable([...rest, a - b], into);
      if (b > 0 && a % b === 0) reachable([...rest, a / b], into);
    }
  }
  return into;
}

const pose = (numbers: number[], target: number) => ({
  task: 'countdown',
  prompt: '',
  difficulty: numbers.length,
  data: { numbers, target },
});

describe('countdown generator', () => {
  it('gives the same problems for ever', () => {
    const prompts = [3, 4, 5].flatMap((d) => [0, 1, 7].map((seed) => countdown.generate(seed, d).prompt));
    expect(prompts).toMatchInlineSnapshot(`
      [
        "Use 15 18 8 to make 41.",
        "Use 12 19 3 to make 34.",
        "Use 18 8 21 to make 47.",
        "Use 16 5 16 8 to make 13.",
        "Use 14 10 11 13 to make 20.",
        "Use 3 9 10 9 to make 13.",
        "Use 24 2 24 6 21 to make 56.",
        "Use 24 5 4 16 3 to make 24.",
        "Use 13 23 11 16 22 to make 17.",
      ]
    `);
  });

  it('poses solvable problems in the trained ranges, and the solution passes the verifier', () => {
    for (const difficulty of countdown.difficulties) {
      for (let seed = 0; seed < 150; seed++) {
        const problem = countdown.generate(seed, difficulty);
        const { numbers, target } = problem.data as CountdownData;
        expect(numbers).toHaveLength(difficulty);
        expect(numbers.every((n) => n >= 1 && n <= 25)).toBe(true);
        expect(target >= 10 && target <= 99).toBe(true);
        const steps = solveCountdown(numbers, target);
        expect(steps).not.toBeNull();
        expect(countdown.verify(problem, formatSteps(steps!))).toMatchObject({ correct: true });
        expect(countdown.parse(problem.prompt)).toEqual(problem);
      }
    }
  });

  it('refuses other difficulties and seeds', () => {
    expect(caught(() => countdown.generate(1, 7)).message).toMatch(/no difficulty 7.*3, 4, 5/);
    expect(caught(() => countdown.generate(-1)).code).toBe('bad-option');
  });
});

describe('countdown solver', () => {
  it('agrees with plain recursion on what can be made', () => {
    const number = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 25 }));
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 4 }), (numbers) => {
        const values = reachable(numbers);
        for (let target = 0; target <= 60; target++) {
          const steps = solveCountdown(numbers, target);
          expect(steps !== null).toBe(values.has(target));
          if (steps && numbers.length > 1) {
            expect(countdown.verify(pose(numbers, target), formatSteps(steps)).correct).toBe(true);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  it('agrees with plain recursion on five numbers, zero included', () => {
    for (const numbers of [
      [1, 2, 3, 4, 5],
      [7, 7, 7, 7, 7],
      [25, 24, 23, 22, 21],
      [1, 1, 2, 2, 9],
    ]) {
      const values = reachable(numbers);
      for (let target = 0; target <= 99; target++) {
        const steps = solveCountdown(numbers, target);
        expect(steps !== null).toBe(values.has(target));
        if (steps) expect(countdown.verify(pose(numbers, target), formatSteps(steps)).correct).toBe(true);
      }
    }
  });

  it('solves six numbers and knows what six equal numbers cannot make', () => {
    const hard = solveCountdown([75, 50, 2, 3, 8, 7], 812);
    expect(hard).toHaveLength(5);
    expect(hard!.at(-1)!.result).toBe(812);
    expect(solveCountdown([1, 1, 1, 1, 1, 1], 10)).toBeNull();
    expect(nearestTarget([1, 1, 1, 1, 1, 1], 10, 1, 99)).toBe(9);
  });
});

describe('countdown verifier', () => {
  const problem = countdown.parse('Use 13 9 10 to make 77.');

  it.each(['9*10=90, 90-13=77', '10*9=90, 90-13=77', ' 9 * 10 = 90 ,90-13=77\n'])('accepts %j', (answer) => {
    expect(countdown.verify(problem, answer)).toEqual({
      correct: true,
      reason: 'Every number is used once and the steps make 77.',
    });
  });

  it.each([
    ['', /no answer/],
    ['77', /Step 1 \("77"\) is not of the form/],
    ['9*10=90, 90-13=77, ', /Step 3 \(""\) is not of the form/],
    ['9*10=90; 90-13=77', /Step 1 .* is not of the form/],
    ['9*10=90', /leave 13, 90: not every number was used/],
    ['9*10=91, 91-13=78', /Step 1 .* is wrong: 9\*10 is 90/],
    ['9*9=81, 81-13=68', /Step 1 .* uses 9, which is not left/],
    ['9*10=90, 13-90=77', /Step 2 .* takes the larger from the smaller/],
    ['13/9=1, 10-1=9', /Step 1 .* divides 13 by 9, which does not go evenly/],
    ['9*10=90, 90+13=103', /make 103, not 77/],
    ['9*10=90, 90-13=77.', /Step 2 .* is not of the form/],
    ['09*10=90, 90-13=77', /Step 1 .* is not of the form/],
    ['9*10=90, 90-13=77, 77*1=77', /Step 3 .* uses 1, which is not left/],
    ['9'.repeat(2000), /2000 characters/],
  ])('refuses %j', (answer, reason) => {
    const verdict = countdown.verify(problem, answer);
    expect(verdict.correct).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });

  it('refuses division by zero and uses equal numbers one by one', () => {
    const equal = pose([5, 5, 7], 7);
    expect(countdown.verify(equal, '5-5=0, 7/0=7').reason).toMatch(/divides by zero/);
    expect(countdown.verify(equal, '5-5=0, 7+0=7').correct).toBe(true);
    expect(countdown.verify(equal, '5-5=0, 5+7=12').reason).toMatch(/uses 5, which is not left/);
  });

  it('never throws', () => {
    const alphabet = fc.constantFrom(...'0123456789+-*/=, \n<>a');
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: alphabet }), anyText()), (answer) => {
        expect(typeof countdown.verify(problem, answer).correct).toBe('boolean');
      }),
    );
  });
});

describe('countdown parser', () => {
  it.each([
    'Use 3 5 7 to make 22.',
    '3 5 7 -> 22',
    '3, 5, 7 = 22',
    '3,5 and 7 → 22',
    '  use 3, 5, and 7\nto make 22 ',
    'With 3 5 7 make 22!',
  ])('reads %j', (text) => {
    expect(countdown.parse(text)).toEqual({
      task: 'countdown',
      prompt: 'Use 3 5 7 to make 22.',
      difficulty: 3,
      data: { numbers: [3, 5, 7], target: 22 },
    });
  });

  it.each([
    ['hello', /not a Countdown puzzle/],
    ['3 5 7', /no target in "3 5 7"/],
    ['3 5 7 ->', /target is missing/],
    ['-> 22', /has no numbers/],
    ['5 -> 22', /has one number; it needs 2 to 6/],
    ['1 2 3 4 5 6 7 -> 22', /has 7 numbers/],
    ['3 x 7 -> 22', /Number 2 is "x", which is not a whole number/],
    ['3 2.5 7 -> 22', /Number 2 is "2.5"/],
    ['3 -5 7 -> 22', /Number 2 is "-5"/],
    ['3 0 7 -> 22', /Number 2 is 0; it must lie between 1 and 99/],
    ['3 5 7 -> 100', /The target is 100; it must lie between 1 and 99/],
    ['3 5 7 -> twenty', /The target is "twenty"/],
    ['2 2 2 -> 50', /2, 2, 2 cannot make 50.*nearest target they can make is 8\./],
  ])('refuses %j', (text, message) => {
    const error = caught(() => countdown.parse(text));
    expect(error.code).toBe('bad-problem');
    expect(error.message).toMatch(message);
    expect(error.hint).toBeTruthy();
  });
});

describe('countdown checker', () => {
  const problem = countdown.parse('3 5 7 -> 22');

  it.each([
    [['7*5=35 left 3 35'], [7]],
    [
      ['5*3=15 left 7 15', '15+7=22 yes'],
      [9, 9],
    ],
    [
      ['5*3=16 left 7 16', '16+7=23 no', 'Wait, 5*3=15 no'],
      [0, 9, 3],
    ],
    [['5*3=15 left 7 16'], [0]],
    [['5*4=20 left 7 20'], [0]],
    [
      ['5*3=15 left 7 15', '15-7=8 yes'],
      [9, 3],
    ],
    [
      ['5*3=15 left 7 15', '15-7=8 no', 'back 3 5 7', '5+3=8 left 7 8'],
      [9, 9, 9, 7],
    ],
    [['back 3 5 7'], [3]],
    [['think harder'], [0]],
  ])('scores %j', (lines, scores) => {
    expect(countdown.check(problem, lines).map(({ score }) => score)).toEqual(scores);
  });

  it('is not held up by numbers that come from nowhere', () => {
    const many = Array.from({ length: 14 }, (_, i) => i + 1).join(' ');
    const lines = [`5*3=15 left 15 7 ${many}`, `15+7=22 left ${many} 22`, '2*1=2 left 3 4 5 6 7 8 9 10 2'];
    expect(countdown.check(problem, lines).every(({ valid }) => !valid)).toBe(true);
  });
});
