import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arithmetic } from '../../src/tasks/arithmetic/task.ts';
import { Random } from '../../src/tasks/random.ts';

describe('arithmetic', () => {
  it('works numbers of any trained length out as JavaScript does', () => {
    const number = fc.integer({ min: 0, max: 9_999_999 });
    fc.assert(
      fc.property(number, number, fc.constantFrom('+', '-', '*'), (a, b, operator) => {
        const [left, right] = [Math.max(a, b), Math.min(a, b)];
        const value = operator === '+' ? left + right : operator === '-' ? left - right : left * right;
        const problem = arithmetic.parse(`${left} ${operator} ${right}`);
        const trace = arithmetic.trace(problem, Random.fromSeed(1));
        expect(trace?.answer).toBe(String(value));
        expect(arithmetic.verify(problem, String(value)).correct).toBe(true);
        expect(arithmetic.verify(problem, String(value + 1)).reason).toContain(`is ${value}, not ${value + 1}`);
      }),
      { numRuns: 200 },
    );
  });

  it('is written out as on paper', () => {
    const lines = (text: string) =>
      arithmetic.trace(arithmetic.parse(text), Random.fromSeed(1))?.steps.map((step) => step.text);
    expect(lines('478+56')).toEqual([
      '8+6=14 write 4 carry 1',
      '7+5+1=13 write 3 carry 1',
      '4+0+1=5 write 5',
      'so 478+56=534',
    ]);
    expect(lines('402-17')).toEqual([
      '12-7=5 write 5 borrow 1',
      '10-1-1=8 write 8 borrow 1',
      '4-0-1=3 write 3',
      'so 402-17=385',
    ]);
    expect(lines('47*806')).toEqual([
      '7*6=42 write 2 carry 4',
      '4*6+4=28 write 28',
      'so 47*6=282',
      '7*8=56 write 6 carry 5',
      '4*8+5=37 write 37',
      'so 47*800=37600',
      '2+0=2 write 2',
      '8+0=8 write 8',
      '2+6=8 write 8',
      '0+7=7 write 7',
      '0+3=3 write 3',
      'so 282+37600=37882',
    ]);
  });

  it.each([
    ['hello', /not arithmetic/],
    ['Compute 3 plus 4', /no calculation with two numbers/],
    ['3-4', /3-4 is below nothing.*larger number first/],
    ['12345678+1', /more than 7 digits/],
  ])('typed as %j is refused', (text, message) => {
    expect(() => arithmetic.parse(text)).toThrow(message);
  });

  it.each([
    ['', /no answer/],
    ['08', /not a whole number/],
    ['8.', /not a whole number/],
    ['7', /5\+3 is 8, not 7/],
  ])('answered by %j is refused', (answer, reason) => {
    const verdict = arithmetic.verify(arithmetic.parse('5+3'), answer);
    expect(verdict.correct).toBe(false);
    expect(verdict.reason).toMatch(reason);
  });

  it.each([
    ['8+6=15 write 5 carry 1', 0, /8\+6 is 14, not 15/],
    ['8+6=14 write 4', 3, /should read "8\+6=14 write 4 carry 1"/],
    ['7+5=12 write 2 carry 1', 0, /should read/],
    ['so 478+356=835', 0, /comes to 834/],
    ['so 478-356=122', 3, /What is due is 478\+356/],
  ])('grades %j by what is wrong with it', (line, score, reason) => {
    const [check] = arithmetic.check(arithmetic.parse('478+356'), [line]);
    expect(check).toMatchObject({ valid: false, score });
    expect(check?.reason).toMatch(reason);
  });
});
