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

/** All assignments that fit every statement, at most `limit` of them. */
export function solveIslanders({ people, statements }: IslandersData, limit = Number.POSITIVE_INFINITY): boolean[][] {
  const found: boolean[][] = [];
  const known: boolean[] = people.map(() => false);
  for (let bits = 0; bits < 2 ** people.length && found.length < limit; bits++) {
    for (let i = 0; i < known.length; i++) known[i] = ((bits >> i) & 1) === 1;
    if (statements.every((statement) => fits(statement, known))) found.push([...known]);
  }
  return found;
}
