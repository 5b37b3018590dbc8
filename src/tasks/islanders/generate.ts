/**
 * Puzzles by the rules of the Knights & Knaves generator of mem-kk-logic (Xie et al., 2024): nested claims by a six-sided
 * die, kept when exactly one assignment fits. Departures: a claim may be three levels deep now and then, and "if" and "if
 * and only if" stand only outermost, where English can bracket them.
 */
import type { Random } from '../random.ts';
import { type Claim, type IslandersData, type Statement, solveIslanders } from './claims.ts';
import { NAMES } from './wording.ts';

/** One claim in so many is three levels deep rather than two. */
const DEEP_ONE_IN = 8;

function same(a: Claim, b: Claim): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function leaf(random: Random, people: number, speaker: number): Claim {
  for (;;) {
    const who = random.below(people);
    const knight = random.below(2) === 1;
    // Nobody can say "I am a knave", and "I am a knight" says nothing but may stand within a claim.
    if (who !== speaker || knight) return { kind: 'is', who, knight };
  }
}

/** @param depth levels left, at least 1. @param outer whether "if" and "if and only if" may stand here. */
function claim(random: Random, people: number, speaker: number, depth: number, outer: boolean): Claim {
  const side = random.below(6);
  if (depth === 1 || side === 0) return leaf(random, people, speaker);
  if (side === 1) {
    const of = claim(random, people, speaker, depth - 1, false);
    return { kind: 'not', of };
  }
  const left = claim(random, people, speaker, depth - 1, false);
  let right = claim(random, people, speaker, depth - 1, false);
  while (same(left, right)) right = claim(random, people, speaker, depth - 1, false);
  const kinds = outer ? (['and', 'or', 'if', 'iff'] as const) : (['and', 'or'] as const);
  return { kind: kinds[(side - 2) % kinds.length] as 'and', left, right };
}

/** A puzzle of so many people with exactly one solution. */
export function randomPuzzle(random: Random, count: number): IslandersData {
  const people = random.shuffle(NAMES).slice(0, count);
  for (;;) {
    const statements: Statement[] = people.map((_, speaker) => ({
      speaker,
      claim: claim(random, count, speaker, random.below(DEEP_ONE_IN) === 0 ? 3 : 2, true),
    }));
    const data = { people, statements };
    if (solveIslanders(data, 2).length === 1) return data;
  }
}

/** The puzzle apart from names and wording: people are numbered as the statements first mention them. */
export function canonicalPuzzle({ people, statements }: IslandersData): string {
  const number = new Map<number, number>();
  const of = (who: number) => {
    if (!number.has(who)) number.set(who, number.size);
    return number.get(who) as number;
  };
  const text = (one: Claim): string => {
    if (one.kind === 'is') return `${one.knight ? 'k' : 'l'}${of(one.who)}`;
    if (one.kind === 'not') return `!(${text(one.of)})`;
    return `${one.kind}(${text(one.left)},${text(one.right)})`;
  };
  const said = statements.map(({ speaker, claim: one }) => `${of(speaker)}:${text(one)}`);
  return `${people.length};${said.join(';')}`;
}
