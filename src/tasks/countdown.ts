/** Countdown: make a target of given numbers, every number used exactly once. */
import { checkNumber, ReckonError } from '../errors.ts';
import { badProblem, type Likeness } from './bad-problem.ts';
import { checkCountdown } from './countdown-check.ts';
import { searchCountdown } from './countdown-search.ts';
import { nearestTarget, type Operator, operate, solveCountdown } from './countdown-solver.ts';
import { CountdownStates } from './countdown-states.ts';
import { Random } from './random.ts';
import type { Level, TracedTask } from './traced.ts';
import type { Problem, Verdict } from './types.ts';

export interface CountdownData {
  readonly numbers: readonly number[];
  readonly target: number;
}

const ID = 'countdown';
const DIFFICULTIES = [3, 4, 5] as const;
/** What models are trained on. */
const TRAINED = { number: [1, 25], target: [10, 99] } as const;
/** What a person may type: more than models are trained on, but nothing a digit-wise vocabulary could not say. */
const TYPED = { count: [2, 6], number: [1, 99], target: [1, 99] } as const;
/** Generated problems have a solution whose intermediate results stay below this. */
const LARGEST_STEP = 999;
const EXAMPLE = 'A right one looks like "Use 13 9 10 to make 77." or "13 9 10 -> 77".';

function problem(numbers: readonly number[], target: number): Problem {
  return {
    task: ID,
    prompt: `Use ${numbers.join(' ')} to make ${target}.`,
    difficulty: numbers.length,
    data: { numbers, target } satisfies CountdownData,
  };
}

/** One random expression over all numbers, or null where it broke a bound. */
function randomResult(random: Random, numbers: readonly number[]): number | null {
  let values = random.shuffle(numbers);
  while (values.length > 1) {
    values = random.shuffle(values);
    const [a, b, ...rest] = values as [number, number, ...number[]];
    const result = operate(Math.max(a, b), random.pick<Operator>(['+', '-', '*', '/']), Math.min(a, b));
    if (result === null || result === 0 || result > LARGEST_STEP) return null;
    values = [...rest, result];
  }
  return values[0] as number;
}

function generate(seed: number, difficulty: number = DIFFICULTIES[0]): Problem {
  if (!DIFFICULTIES.some((known) => known === difficulty)) {
    throw new ReckonError('bad-option', `Countdown has no difficulty ${difficulty}.`, {
      hint: `Choose how many numbers: ${DIFFICULTIES.join(', ')}.`,
      details: { task: ID, difficulty },
    });
  }
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const random = Random.fromSeed(seed, `${ID}/${difficulty}`);
  for (;;) {
    const numbers = Array.from({ length: difficulty }, () => random.between(...TRAINED.number));
    const target = randomResult(random, numbers);
    if (target !== null && target >= TRAINED.target[0] && target <= TRAINED.target[1]) return problem(numbers, target);
  }
}

/** `numbers` and `target` as typed, or where the outline of the sentence is missing. */
function outline(text: string): { numbers: string; target: string } {
  const match = /^(?:use\b|with\b)?(.*?)(?:\bto\s+make\b|\bmake\b|->|=>|→|=)(.*)$/isu.exec(text.trim());
  if (match) return { numbers: match[1] as string, target: match[2] as string };
  const likeness: Likeness = /\d/.test(text) ? 1 : 0;
  throw badProblem(
    ID,
    likeness,
    likeness ? `There is no target in ${JSON.stringify(text.trim())}.` : 'This is not a Countdown puzzle.',
    EXAMPLE,
  );
}

function readNumber(word: string, what: string, range: readonly [number, number]): number {
  if (!/^\d+$/.test(word)) {
    throw badProblem(ID, 2, `${what} is ${JSON.stringify(word)}, which is not a whole number.`, EXAMPLE, { word });
  }
  const value = Number(word);
  if (value < range[0] || value > range[1]) {
    throw badProblem(ID, 2, `${what} is ${word}; it must lie between ${range[0]} and ${range[1]}.`, EXAMPLE, { word });
  }
  return value;
}

function parse(text: string): Problem {
  const parts = outline(text);
  const words = parts.numbers.split(/[\s,;]+|\band\b/iu).filter((word) => word !== '');
  const targetText = parts.target.trim().replace(/\s*[.!?]$/u, '');
  const [fewest, most] = TYPED.count;
  if (targetText === '') throw badProblem(ID, 2, 'The target is missing.', EXAMPLE);
  if (words.length < fewest || words.length > most) {
    const count = words.length === 0 ? 'no numbers' : words.length === 1 ? 'one number' : `${words.length} numbers`;
    throw badProblem(ID, 2, `The puzzle has ${count}; it needs ${fewest} to ${most}.`, EXAMPLE, {
      count: words.length,
    });
  }
  const numbers = words.map((word, i) => readNumber(word, `Number ${i + 1}`, TYPED.number));
  const target = readNumber(targetText, 'The target', TYPED.target);
  if (!solveCountdown(numbers, target)) {
    const near = nearestTarget(numbers, target, ...TYPED.target);
    throw badProblem(
      ID,
      3,
      `${numbers.join(', ')} cannot make ${target} with every number used once.`,
      near === null ? 'Try other numbers.' : `The nearest target they can make is ${near}.`,
      { nearest: near },
    );
  }
  return problem(numbers, target);
}

const STEP = /^(0|[1-9]\d{0,14})\s*([-+*/])\s*(0|[1-9]\d{0,14})\s*=\s*(0|[1-9]\d{0,14})$/u;

function wrong(reason: string): Verdict {
  return { correct: false, reason };
}

/** Why a step is refused, or null. `held` loses the operands and gains the result. */
function checkStep(text: string, held: number[]): string | null {
  const match = STEP.exec(text);
  if (!match) return 'is not of the form "a+b=c"';
  const [left, right, result] = [Number(match[1]), Number(match[3]), Number(match[4])];
  const operator = match[2] as Operator;
  for (const operand of [left, right]) {
    const at = held.indexOf(operand);
    if (at < 0) return `uses ${operand}, which is not left`;
    held.splice(at, 1);
  }
  const value = operate(left, operator, right);
  if (value === null) {
    if (operator === '-') return 'takes the larger from the smaller; write larger minus smaller';
    return right === 0 ? 'divides by zero' : `divides ${left} by ${right}, which does not go evenly`;
  }
  if (value !== result) return `is wrong: ${left}${operator}${right} is ${value}`;
  held.push(result);
  return null;
}

/** Long enough for any right answer; what is longer is refused unread, so that a runaway answer costs nothing. */
const LONGEST_ANSWER = 1000;

function verify(posed: Problem, answer: string): Verdict {
  const { numbers, target } = posed.data as CountdownData;
  const text = answer.trim();
  if (text === '') return wrong('There is no answer.');
  if (text.length > LONGEST_ANSWER) return wrong(`The answer is ${text.length} characters long.`);
  const held = [...numbers];
  const steps = text.split(',');
  for (const [i, step] of steps.entries()) {
    const written = step.trim();
    const broken = checkStep(written, held);
    if (broken) return wrong(`Step ${i + 1} (${JSON.stringify(written)}) ${broken}.`);
  }
  if (held.length > 1) return wrong(`The steps leave ${held.join(', ')}: not every number was used.`);
  if (held[0] !== target) return wrong(`The steps make ${held[0]}, not ${target}.`);
  return { correct: true, reason: `Every number is used once and the steps make ${target}.` };
}

/** Chances of moves at random from which on a puzzle is easy, and medium. */
const EASY = 1 / 12;
const MEDIUM = 1 / 30;

function level({ data }: Problem): Level {
  const { numbers, target } = data as CountdownData;
  const chance = new CountdownStates(numbers, target).chance(numbers);
  return chance >= EASY ? 'easy' : chance >= MEDIUM ? 'medium' : 'hard';
}

export const countdown: TracedTask = {
  id: ID,
  title: 'Countdown',
  description:
    'Make the target with +, −, × and ÷, using every number exactly once; differences may not be negative and quotients must be whole.',
  difficulties: DIFFICULTIES,
  generate,
  parse,
  verify,
  canonical({ data }) {
    const { numbers, target } = data as CountdownData;
    return `${[...numbers].sort((a, b) => a - b).join(' ')} -> ${target}`;
  },
  level,
  trace({ data }, random, reconsidering = 'none', manner = {}) {
    const { numbers, target } = data as CountdownData;
    return searchCountdown(numbers, target, random, reconsidering, manner);
  },
  check({ data }, lines) {
    const { numbers, target } = data as CountdownData;
    return checkCountdown(numbers, target, lines);
  },
};
