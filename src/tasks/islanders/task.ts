/** Knights & Knaves in English, with names and nested claims: the form the embedded family is trained on. */
import { checkNumber, ReckonError } from '../../errors.ts';
import { badProblem } from '../bad-problem.ts';
import { Random } from '../random.ts';
import type { Level, TracedTask } from '../traced.ts';
import type { Problem, Verdict } from '../types.ts';
import { checkIslanders } from './check.ts';
import { fits, type IslandersData, solveIslanders } from './claims.ts';
import { canonicalPuzzle, randomPuzzle } from './generate.ts';
import { ISLANDERS_ID, parseIslanders } from './parser.ts';
import { searchIslanders, searchSize } from './search.ts';
import { assignmentText, claimText, promptText, REPORTS } from './wording.ts';

/** How many people. */
const DIFFICULTIES = [2, 3, 4, 5, 6, 7] as const;
/** Suppositions up to which a puzzle is easy, and medium. */
const EASY = 4;
const MEDIUM = 8;
/** More people than the trained sizes would make solving by enumeration slow. */
const MOST_PEOPLE = 10;

function problem(data: IslandersData, reports: readonly number[]): Problem {
  return { task: ISLANDERS_ID, prompt: promptText(data, reports), difficulty: data.people.length, data };
}

function dataOf(posed: Problem): IslandersData {
  return posed.data as IslandersData;
}

function solutionOf(posed: Problem): readonly boolean[] {
  return solveIslanders(dataOf(posed), 1)[0] as boolean[];
}

function generate(seed: number, difficulty: number = DIFFICULTIES[0]): Problem {
  if (!DIFFICULTIES.some((known) => known === difficulty)) {
    throw new ReckonError('bad-option', `Knights & Knaves has no difficulty ${difficulty}.`, {
      hint: `Choose how many people: ${DIFFICULTIES.join(', ')}.`,
      details: { task: ISLANDERS_ID, difficulty },
    });
  }
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const random = Random.fromSeed(seed, `${ISLANDERS_ID}/${difficulty}`);
  const data = randomPuzzle(random, difficulty);
  return problem(
    data,
    data.statements.map(() => random.below(REPORTS.length)),
  );
}

function parse(text: string): Problem {
  const { data, reports } = parseIslanders(text);
  const { people } = data;
  const fail = (message: string, hint: string) => badProblem(ISLANDERS_ID, 3, message, hint);
  if (people.length < 2) throw fail(`Only ${people.join()} takes part.`, 'A puzzle needs at least two people.');
  if (people.length > MOST_PEOPLE) {
    throw fail(`${people.length} people take part.`, `A puzzle may have up to ${MOST_PEOPLE}.`);
  }
  const [first, second] = solveIslanders(data, 2);
  if (!first) throw fail('Nobody can have said all this: no assignment fits.', 'Change one of the claims.');
  if (second) {
    const [one, other] = [assignmentText(people, first), assignmentText(people, second)];
    throw fail(
      `The puzzle has more than one solution: "${one}", but also "${other}".`,
      'Add a statement or change a claim so that only one fits.',
    );
  }
  return problem(data, reports);
}

const PART = /^([A-Z][a-z]*)\s+is\s+a\s+(knight|knave)$/u;
/** Long enough for any right answer; what is longer is refused unread. */
const LONGEST_ANSWER = 1000;

function wrong(reason: string): Verdict {
  return { correct: false, reason };
}

function verify(posed: Problem, answer: string): Verdict {
  const { people, statements } = dataOf(posed);
  const text = answer.trim();
  if (text === '') return wrong('There is no answer.');
  if (text.length > LONGEST_ANSWER) return wrong(`The answer is ${text.length} characters long.`);
  const known: (boolean | null)[] = people.map(() => null);
  for (const part of text.split(',')) {
    const match = PART.exec(part.trim());
    if (!match) return wrong(`${JSON.stringify(part.trim())} is not of the form "Alice is a knight".`);
    const who = people.indexOf(match[1] as string);
    if (who < 0) return wrong(`${match[1]} is not in the puzzle.`);
    if (known[who] !== null) return wrong(`${match[1]} is named twice.`);
    known[who] = match[2] === 'knight';
  }
  const missing = people.filter((_, who) => known[who] === null);
  if (missing.length > 0) return wrong(`The answer says nothing of ${missing.join(', ')}.`);
  const broken = statements.find((statement) => !fits(statement, known));
  if (broken) {
    const knight = known[broken.speaker] === true;
    const rule = knight ? 'is said to be a knight, but claims what is false' : 'is said to be a knave, but speaks true';
    return wrong(`${people[broken.speaker]} ${rule}: "${claimText(broken.claim, people)}".`);
  }
  return { correct: true, reason: 'Every knight spoke the truth and every knave lied.' };
}

function level(posed: Problem): Level {
  const size = searchSize(dataOf(posed));
  return size <= EASY ? 'easy' : size <= MEDIUM ? 'medium' : 'hard';
}

export const islanders: TracedTask = {
  id: ISLANDERS_ID,
  title: 'Knights & Knaves',
  description:
    'Knights always tell the truth and knaves always lie; from what they say, nested claims and all, find out who is what.',
  difficulties: DIFFICULTIES,
  generate,
  parse,
  verify,
  canonical: (posed) => canonicalPuzzle(dataOf(posed)),
  level,
  trace: (posed, random, reconsidering = 'none') => searchIslanders(dataOf(posed), random, reconsidering),
  check: (posed, lines) => checkIslanders(dataOf(posed), solutionOf(posed), lines),
};
