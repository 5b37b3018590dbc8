/** Knights & Knaves: knights always tell the truth, knaves always lie; say who is what. */
import { checkNumber, ReckonError } from '../errors.ts';
import { badProblem } from './bad-problem.ts';
import {
  assignmentText,
  type Claim,
  claimText,
  firstBroken,
  type IsClaim,
  type KnightsData,
  promptText,
  solveKnights,
} from './knights-logic.ts';
import { KNIGHTS_ID, NAMES, parseStatements } from './knights-parser.ts';
import { Random } from './random.ts';
import type { Problem, Task, Verdict } from './types.ts';

/** How many people. */
const DIFFICULTIES = [2, 3, 4, 5, 6, 7, 8] as const;

function problem(data: KnightsData): Problem {
  return { task: KNIGHTS_ID, prompt: promptText(data), difficulty: data.people.length, data };
}

/** One claim by `speaker`; nobody claims only to be a knight or a knave, which would say nothing or contradict itself. */
function randomClaim(random: Random, people: readonly string[], speaker: string): Claim {
  const kind = random.pick(['is', 'same', 'different', 'and', 'or'] as const);
  if (kind === 'is') {
    const who = random.pick(people.filter((name) => name !== speaker));
    return { kind, who, knight: random.below(2) === 1 };
  }
  const [a, b] = random.shuffle(people) as [string, string, ...string[]];
  if (kind === 'same' || kind === 'different') return { kind, a, b };
  const is = (who: string): IsClaim => ({ kind: 'is', who, knight: random.below(2) === 1 });
  return { kind, left: is(a), right: is(b) };
}

function generate(seed: number, difficulty: number = DIFFICULTIES[0]): Problem {
  if (!DIFFICULTIES.some((known) => known === difficulty)) {
    throw new ReckonError('bad-option', `Knights & Knaves has no difficulty ${difficulty}.`, {
      hint: `Choose how many people: ${DIFFICULTIES.join(', ')}.`,
      details: { task: KNIGHTS_ID, difficulty },
    });
  }
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const random = Random.fromSeed(seed, `${KNIGHTS_ID}/${difficulty}`);
  const people = NAMES.slice(0, difficulty);
  for (;;) {
    const statements = people.map((speaker) => ({ speaker, claim: randomClaim(random, people, speaker) }));
    const data = { people, statements };
    if (solveKnights(data, 2).length === 1) return problem(data);
  }
}

function peopleOf(claim: Claim): string[] {
  if (claim.kind === 'is') return [claim.who];
  if ('left' in claim) return [claim.left.who, claim.right.who];
  return [claim.a, claim.b];
}

function parse(text: string): Problem {
  const statements = parseStatements(text);
  const named = new Set(statements.flatMap((s) => [s.speaker, ...peopleOf(s.claim)]));
  const people = NAMES.filter((name) => named.has(name));
  const data = { people, statements };
  if (people.length < 2) {
    throw badProblem(KNIGHTS_ID, 3, `Only ${people.join()} takes part.`, 'A puzzle needs at least two people.');
  }
  const [first, second] = solveKnights(data, 2);
  if (!first) {
    throw badProblem(KNIGHTS_ID, 3, 'Nobody can have said all this: no assignment fits.', 'Change one of the claims.');
  }
  if (second) {
    const [one, other] = [assignmentText(people, first), assignmentText(people, second)];
    throw badProblem(
      KNIGHTS_ID,
      3,
      `The puzzle has more than one solution: "${one}", but also "${other}".`,
      'Add a statement or change a claim so that only one fits.',
    );
  }
  return problem(data);
}

const PART = /^([A-Z])\s+is\s+a\s+(knight|knave)$/u;
/** Long enough for any right answer; what is longer is refused unread. */
const LONGEST_ANSWER = 1000;

function wrong(reason: string): Verdict {
  return { correct: false, reason };
}

function verify(posed: Problem, answer: string): Verdict {
  const data = posed.data as KnightsData;
  const text = answer.trim();
  if (text === '') return wrong('There is no answer.');
  if (text.length > LONGEST_ANSWER) return wrong(`The answer is ${text.length} characters long.`);
  const who = new Map<string, boolean>();
  for (const part of text.split(',')) {
    const match = PART.exec(part.trim());
    if (!match) return wrong(`${JSON.stringify(part.trim())} is not of the form "A is a knight" or "A is a knave".`);
    const name = match[1] as string;
    if (!data.people.includes(name)) return wrong(`${name} is not in the puzzle.`);
    if (who.has(name)) return wrong(`${name} is named twice.`);
    who.set(name, match[2] === 'knight');
  }
  const missing = data.people.filter((name) => !who.has(name));
  if (missing.length > 0) return wrong(`The answer says nothing of ${missing.join(', ')}.`);
  const broken = firstBroken(data, who);
  if (broken) {
    const knight = who.get(broken.speaker) === true;
    const rule = knight ? 'is said to be a knight, but claims what is false' : 'is said to be a knave, but speaks true';
    return wrong(`${broken.speaker} ${rule}: "${claimText(broken.claim)}".`);
  }
  return { correct: true, reason: 'Every knight spoke the truth and every knave lied.' };
}

export const knights: Task = {
  id: KNIGHTS_ID,
  title: 'Knights & Knaves',
  description: 'Knights always tell the truth and knaves always lie; from what they say, find out who is what.',
  difficulties: DIFFICULTIES,
  generate,
  parse,
  verify,
};
