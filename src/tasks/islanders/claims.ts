/** Claims of islanders: nested statements over who is a knight, evaluated under what is known so far. */

/** `who` counts the people of the puzzle from 0. */
export type Claim =
  | { readonly kind: 'is'; readonly who: number; readonly knight: boolean }
  | { readonly kind: 'not'; readonly of: Claim }
  | { readonly kind: 'and' | 'or' | 'if' | 'iff'; readonly left: Claim; readonly right: Claim };

export interface Statement {
  readonly speaker: number;
  readonly claim: Claim;
}

export interface IslandersData {
  readonly people: readonly string[];
  readonly statements: readonly Statement[];
}

/** Person by number: a knight, a knave, or not known yet. */
export type Known = (boolean | null)[];

/** Kleene's three values: true, false, and open (null) while too little is known. */
export function evaluate(claim: Claim, known: Readonly<Known>): boolean | null {
  if (claim.kind === 'is') {
    const knight = known[claim.who] ?? null;
    return knight === null ? null : knight === claim.knight;
  }
  if (claim.kind === 'not') {
    const value = evaluate(claim.of, known);
    return value === null ? null : !value;
  }
  const left = evaluate(claim.left, known);
  const right = evaluate(claim.right, known);
  switch (claim.kind) {
    case 'and':
      return left === false || right === false ? false : left === null || right === null ? null : true;
    case 'or':
      return left === true || right === true ? true : left === null || right === null ? null : false;
    case 'if':
      return left === false || right === true ? true : left === null || right === null ? null : false;
    case 'iff':
      return left === null || right === null ? null : left === right;
  }
}

/** The people a claim names, in the order it names them, each once. */
export function mentioned(claim: Claim): number[] {
  if (claim.kind === 'is') return [claim.who];
  if (claim.kind === 'not') return mentioned(claim.of);
  return [...new Set([...mentioned(claim.left), ...mentioned(claim.right)])];
}

/** Knights say what is true, knaves what is false. Open claims fit. */
export function fits({ speaker, claim }: Statement, known: Readonly<Known>): boolean {
  const knight = known[speaker] ?? null;
  const value = evaluate(claim, known);
  return knight === null || value === null || value === knight;
}

/** Assignments are numbered by their bits: bit i set where person i is a knight. A set of them is a word for every 32. */
type AssignmentSet = Uint32Array;

/** The assignments in which each of five people is a knight, within a word. */
const WITHIN = [0xaaaaaaaa, 0xcccccccc, 0xf0f0f0f0, 0xff00ff00, 0xffff0000] as const;

/** Assignments of `people` people, as many words as they take; the last bits of a short word repeat the first. */
function knightSets(people: number): AssignmentSet[] {
  const words = Math.ceil(2 ** people / 32);
  return Array.from({ length: people }, (_, who) =>
    Uint32Array.from({ length: words }, (_, word) => WITHIN[who] ?? ((word >> (who - 5)) & 1 ? 0xffffffff : 0)),
  );
}

/** The assignments under which a claim is true. */
function truthSet(claim: Claim, knights: readonly AssignmentSet[]): AssignmentSet {
  if (claim.kind === 'is') {
    const set = knights[claim.who] as AssignmentSet;
    return claim.knight ? set : set.map((word) => ~word);
  }
  if (claim.kind === 'not') return truthSet(claim.of, knights).map((word) => ~word);
  const left = truthSet(claim.left, knights);
  const right = truthSet(claim.right, knights);
  const join = {
    and: (a: number, b: number) => a & b,
    or: (a: number, b: number) => a | b,
    if: (a: number, b: number) => ~a | b,
    iff: (a: number, b: number) => ~(a ^ b),
  }[claim.kind];
  return left.map((word, i) => join(word, right[i] as number));
}

/** All assignments that fit every statement, at most `limit` of them. */
export function solveIslanders({ people, statements }: IslandersData, limit = Number.POSITIVE_INFINITY): boolean[][] {
  const knights = knightSets(people.length);
  const fitting = (knights[0] as AssignmentSet).map(() => 0xffffffff);
  for (const { speaker, claim } of statements) {
    const truth = truthSet(claim, knights);
    const spoken = knights[speaker] as AssignmentSet;
    for (let i = 0; i < fitting.length; i++) {
      fitting[i] = (fitting[i] as number) & ~((truth[i] as number) ^ (spoken[i] as number));
    }
  }
  const found: boolean[][] = [];
  for (let bits = 0; bits < 2 ** people.length && found.length < limit; bits++) {
    if ((((fitting[bits >> 5] as number) >>> (bits & 31)) & 1) === 0) continue;
    found.push(people.map((_, who) => ((bits >> who) & 1) === 1));
  }
  return found;
}
