import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractAnswer, normaliseAnswer } from '../../src/text/index.ts';
import { anyText } from '../support/any-text.ts';

describe('extractAnswer', () => {
  it('finds the answer in the ways models give it', () => {
    const cases: [string, string][] = [
      ['16*6=96, 96/1=96', '16*6=96, 96/1=96'],
      ['think\n</think>\n 16*6=96 \n', '16*6=96'],
      ['a</think>b</think> c', 'c'],
      ['So \\boxed{1} or rather \\boxed{\\frac{1}{2}}.', '\\frac{1}{2}'],
      ['\\boxed{a\\}b} and \\boxed{open', 'a\\}b'],
      ['\\boxed{', '\\boxed{'],
      ['Some steps.\nAnswer: 42', '42'],
      ['**Final Answer:** A is a knave', 'A is a knave'],
      ['Answer: 1\nAnswer: **2**', '2'],
      ['Reasons.\nThe answer is 7.', '7.'],
      ['Therefore, the final answer is: 9', '9'],
      ['steps\n#### 72', '72'],
      ['The answerable question', 'The answerable question'],
      ['', ''],
      ['</think>', ''],
    ];
    for (const [text, answer] of cases) expect(extractAnswer(text), text).toBe(answer);
    expect(extractAnswer('x[/THINK] y', { marker: '[/THINK]' })).toBe('y');
  });

  it('takes any text, in no time', () => {
    fc.assert(
      fc.property(anyText(), (text) => {
        expect(typeof extractAnswer(text)).toBe('string');
      }),
    );
    for (const long of [
      ' '.repeat(50_000),
      '*'.repeat(50_000),
      `answer${' '.repeat(50_000)}`,
      '\\boxed{'.repeat(5_000),
      `Answer: a${' *'.repeat(25_000)}b`,
      `1${'.'.repeat(50_000)}2`,
      '#### '.repeat(5_000),
    ]) {
      expect(normaliseAnswer(long).length).toBeLessThanOrEqual(long.length);
      expect(extractAnswer(long).length).toBeLessThanOrEqual(long.length);
    }
  });
});

describe('normaliseAnswer', () => {
  it('joins what is the same', () => {
    const groups: string[][] = [
      ['9*10=90, 90-13=77', '9*10=90,90-13=77.', ' 9 * 10 = 90,\n90 - 13 = 77 '],
      ['A is a knave, B is a knight', 'a is a knave,  b is a knight.', '**A is a knave, B is a knight**'],
      ['42', '42.0', '+42', '042', '$42$', '"42".', '\\(42\\)'],
      ['1,234', '1234', '1234.00'],
      ['-0.5', '-0.50'],
    ];
    for (const group of groups) expect(new Set(group.map(normaliseAnswer)).size, group.join(' | ')).toBe(1);
  });

  it('keeps apart what is not', () => {
    const answers = [
      '1',
      '-1',
      '1.5',
      '15',
      '1,2',
      '\\alpha',
      '\\Alpha',
      'a is a knight',
      'a is a knave',
      '9-1=8',
      '9+1=8',
      '',
    ];
    expect(new Set(answers.map(normaliseAnswer)).size).toBe(answers.length);
  });

  it('is its own fixed point', () => {
    const part = fc.oneof(
      fc.constantFrom(
        ' ',
        '.',
        ',',
        '"',
        '$',
        '**',
        '0',
        '1',
        '-',
        '+',
        '(',
        '\\',
        'A',
        '=',
        ';',
        "'",
        '`',
        '\\(',
        '\\)',
      ),
      fc.string({ maxLength: 3 }),
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 10 }).map((parts) => parts.join('')),
        (text) => {
          const once = normaliseAnswer(text);
          expect(normaliseAnswer(once)).toBe(once);
        },
      ),
      { numRuns: 500 },
    );
  });
});
