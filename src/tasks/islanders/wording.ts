/**
 * English of Knights & Knaves. A claim within a claim is bracketed by "both … and …" and "either … or …", so that no
 * sentence can be read in two ways:
 *
 *   claim  = part | part ("and" | "or" | "if and only if") part | "if" part "then" part
 *   part   = NAME "is a" KIND | "it is not true that" part | "both" part "and" part | "either" part "or" part
 */
import type { Claim, IslandersData, Known, Statement } from './claims.ts';
import { evaluate } from './claims.ts';

export const NAMES = [
  ...['Alice', 'Bob', 'Carol', 'David', 'Emma', 'Frank', 'Grace', 'Henry', 'Iris', 'Jack', 'Kate', 'Liam', 'Mia'],
  ...['Noah', 'Olivia', 'Peter', 'Quinn', 'Rose', 'Sam', 'Tina', 'Uma', 'Victor', 'Wendy', 'Xavier', 'Yara', 'Zoe'],
] as const;

export function kindOf(knight: boolean): string {
  return knight ? 'knight' : 'knave';
}

/** A part of a claim. Claims of "if" and "if and only if" have no bracketed form and are never parts. */
function partText(claim: Claim, people: readonly string[]): string {
  switch (claim.kind) {
    case 'is':
      return `${people[claim.who]} is a ${kindOf(claim.knight)}`;
    case 'not':
      return `it is not true that ${partText(claim.of, people)}`;
    case 'and':
      return `both ${partText(claim.left, people)} and ${partText(claim.right, people)}`;
    default:
      return `either ${partText(claim.left, people)} or ${partText(claim.right, people)}`;
  }
}

export function claimText(claim: Claim, people: readonly string[]): string {
  switch (claim.kind) {
    case 'and':
    case 'or':
      return `${partText(claim.left, people)} ${claim.kind} ${partText(claim.right, people)}`;
    case 'iff':
      return `${partText(claim.left, people)} if and only if ${partText(claim.right, people)}`;
    case 'if':
      return `if ${partText(claim.left, people)} then ${partText(claim.right, people)}`;
    default:
      return partText(claim, people);
  }
}

/** Ways to report a claim; a problem's number chooses among them. */
export const REPORTS = ['says that', 'says', 'claims that', 'tells you that'] as const;

export function promptText({ people, statements }: IslandersData, reports: readonly number[]): string {
  return statements
    .map(({ speaker, claim }, i) => {
      const report = REPORTS[(reports[i] ?? 0) % REPORTS.length] as string;
      return `${people[speaker]} ${report} ${claimText(claim, people)}.`;
    })
    .join(' ');
}

/** An answer as models write it: `Alice is a knave, Bob is a knight`. */
export function assignmentText(people: readonly string[], knights: readonly boolean[]): string {
  return people.map((name, i) => `${name} is a ${kindOf(knights[i] === true)}`).join(', ');
}

/** T, F or ? as traces write a value. */
export function mark(value: boolean | null): string {
  return value === null ? '?' : value ? 'T' : 'F';
}

/** Everybody's kind as supposed, `?` where nothing is: `Alice knight Bob knave Carol ?`. */
export function stateText(people: readonly string[], known: Readonly<Known>): string {
  return people.map((name, who) => `${name} ${supposedText(known[who] ?? null)}`).join(' ');
}

function supposedText(knight: boolean | null): string {
  return knight === null ? '?' : kindOf(knight);
}

/**
 * A claim in the short form of traces, with what is known: of each person first the kind supposed, then the kind claimed and
 * whether they agree, as in `if Bob knave knave T then Carol ? knight ?`. So each token takes one look-up or one comparison.
 */
export function markedText(claim: Claim, people: readonly string[], known: Readonly<Known>): string {
  const part = (one: Claim): string => {
    switch (one.kind) {
      case 'is': {
        const supposed = supposedText(known[one.who] ?? null);
        return `${people[one.who]} ${supposed} ${kindOf(one.knight)} ${mark(evaluate(one, known))}`;
      }
      case 'not':
        return `not ${part(one.of)}`;
      case 'and':
        return `both ${part(one.left)} and ${part(one.right)}`;
      default:
        return `either ${part(one.left)} or ${part(one.right)}`;
    }
  };
  switch (claim.kind) {
    case 'and':
    case 'or':
    case 'iff':
      return `${part(claim.left)} ${claim.kind} ${part(claim.right)}`;
    case 'if':
      return `if ${part(claim.left)} then ${part(claim.right)}`;
    default:
      return part(claim);
  }
}

/** One statement looked at: `Bob says Alice knave knave T and Carol ? knight ? is ?`. */
export function lookText({ speaker, claim }: Statement, people: readonly string[], known: Readonly<Known>): string {
  return `${people[speaker]} says ${markedText(claim, people, known)} is ${mark(evaluate(claim, known))}`;
}
