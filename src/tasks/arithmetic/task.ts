/** Sums, differences and long multiplication of whole numbers. */
import { checkNumber, ReckonError } from '../../errors.ts';
import { badProblem } from '../bad-problem.ts';
import { Random } from '../random.ts';
import type { TracedTask } from '../traced.ts';
import type { Problem, Verdict } from '../types.ts';
import { checkArithmetic } from './check.ts';
import { columnsOf, traceArithmetic } from './trace.ts';
import { calculated, type Expression, expressionText, type Operator } from './work.ts';

const ID = 'arithmetic';
const DIFFICULTIES = [1, 2, 3, 4, 5] as const;
/** Digits of a typed number: results stay exact, and sheets readable. */
const MOST_DIGITS = 7;
/** Columns up to which a calculation is easy, and medium. */
const EASY = 4;
const MEDIUM = 9;
const EXAMPLE = 'A right one looks like "Compute 478+356." or "47*86".';

function problem(expression: Expression, difficulty: number): Problem {
  return { task: ID, prompt: `Compute ${expressionText(expression)}.`, difficulty, data: expression };
}

/** A number of exactly so many digits. */
function ofDigits(random: Random, count: number): number {
  const low = count === 1 ? 1 : 10 ** (count - 1);
  return random.between(low, 10 ** count - 1);
}

/** Sums and differences of up to `difficulty + 2` digits, products of `difficulty + 1` by about half as many. */
function generate(seed: number, difficulty: number = DIFFICULTIES[0]): Problem {
  if (!DIFFICULTIES.some((known) => known === difficulty)) {
    throw new ReckonError('bad-option', `Arithmetic has no difficulty ${difficulty}.`, {
      hint: `Choose one of: ${DIFFICULTIES.join(', ')}.`,
      details: { task: ID, difficulty },
    });
  }
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const random = Random.fromSeed(seed, `${ID}/${difficulty}`);
  const operator = random.pick<Operator>(['+', '-', '*', '*']);
  if (operator === '*') {
    const left = ofDigits(random, difficulty + 1);
    const right = ofDigits(random, Math.ceil((difficulty + 1) / 2));
    return problem({ left, operator, right }, difficulty);
  }
  const [a, b] = [ofDigits(random, difficulty + 2), ofDigits(random, random.between(difficulty + 1, difficulty + 2))];
  return problem({ left: Math.max(a, b), operator, right: Math.min(a, b) }, difficulty);
}

/** The difficulty whose numbers are as long as these. */
function difficultyOf({ left, operator, right }: Expression): number {
  const longest = Math.max(String(left).length, String(right).length);
  return Math.min(DIFFICULTIES.length, Math.max(1, longest - (operator === '*' ? 1 : 2)));
}

const FORM = /^(?:compute|what is|calculate)?\s*(\d+)\s*([-+*−×x])\s*(\d+)\s*=?\s*[.?]?$/iu;

function parse(text: string): Problem {
  const match = FORM.exec(text.trim());
  if (!match) {
    const likeness = /^compute\b/i.test(text.trim()) ? 2 : /\d\s*[-+*−×]\s*\d/u.test(text) ? 1 : 0;
    throw badProblem(
      ID,
      likeness,
      likeness ? 'This is no calculation with two numbers.' : 'This is not arithmetic.',
      EXAMPLE,
    );
  }
  const [left, right] = [match[1] as string, match[3] as string];
  for (const number of [left, right]) {
    if (number.length > MOST_DIGITS) throw badProblem(ID, 3, `${number} has more than ${MOST_DIGITS} digits.`, EXAMPLE);
  }
  const operator: Operator = match[2] === '+' ? '+' : match[2] === '-' || match[2] === '−' ? '-' : '*';
  const expression = { left: Number(left), operator, right: Number(right) };
  if (operator === '-' && expression.left < expression.right) {
    throw badProblem(ID, 3, `${expressionText(expression)} is below nothing.`, 'Put the larger number first.');
  }
  return problem(expression, difficultyOf(expression));
}

function verify({ data }: Problem, answer: string): Verdict {
  const expression = data as Expression;
  const text = answer.trim();
  if (text === '') return { correct: false, reason: 'There is no answer.' };
  if (!/^(?:0|[1-9]\d{0,14})$/.test(text)) {
    const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
    return { correct: false, reason: `${JSON.stringify(shown)} is not a whole number.` };
  }
  const value = calculated(expression);
  if (Number(text) !== value)
    return { correct: false, reason: `${expressionText(expression)} is ${value}, not ${text}.` };
  return { correct: true, reason: `${expressionText(expression)} is ${value}.` };
}

export const arithmetic: TracedTask = {
  id: ID,
  title: 'Arithmetic',
  description: 'Add, subtract or multiply two whole numbers.',
  difficulties: DIFFICULTIES,
  generate,
  parse,
  verify,
  canonical: ({ data }) => expressionText(data as Expression),
  level({ data }) {
    const columns = columnsOf(data as Expression);
    return columns <= EASY ? 'easy' : columns <= MEDIUM ? 'medium' : 'hard';
  },
  trace: ({ data }, random, reconsidering = 'none') => traceArithmetic(data as Expression, random, reconsidering),
  check: ({ data }, lines) => checkArithmetic(data as Expression, lines),
};
