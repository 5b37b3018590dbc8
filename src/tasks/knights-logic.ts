/** Claims of Knights & Knaves, whether they hold, and which assignments fit a puzzle. */

/** `who` is a knight (or a knave). */
export interface IsClaim {
  readonly kind: 'is';
  readonly who: string;
  readonly knight: boolean;
}
export type Claim =
  | IsClaim
  /** `a` and `b` are of the same kind, or of different kinds. */
  | { readonly kind: 'same' | 'different'; readonly a: string; readonly b: string }
  | { readonly kind: 'and' | 'or'; readonly left: IsClaim; readonly right: IsClaim };

export interface Statement {
  readonly speaker: string;
  readonly claim: Claim;
}

export interface KnightsData {
  readonly people: readonly string[];
  readonly statements: readonly Statement[];
}

/** Person → true for a knight. */
export type Assignment = ReadonlyMap<string, boolean>;

/** Whether a claim is true under an assignment of everybody it names. */
export function holds(claim: Claim, who: Assignment): boolean {
  switch (claim.kind) {
    case 'is':
      return who.get(claim.who) === claim.knight;
    case 'same':
      return who.get(claim.a) === who.get(claim.b);
    case 'different':
      return who.get(claim.a) !== who.get(claim.b);
    case 'and':
      return holds(claim.left, who) && holds(claim.right, who);
    case 'or':
      return holds(claim.left, who) || holds(claim.right, who);
  }
}

/** Knights say what is true, knaves what is false: the first statement that breaks this, or null. */
export function firstBroken(data: KnightsData, who: Assignment): Statement | null {
  return data.statements.find((s) => holds(s.claim, who) !== who.get(s.speaker)) ?? null;
}

/** All assignments that fit, at most `limit` of them. */
export function solveKnights(data: KnightsData, limit = Number.POSITIVE_INFINITY): Assignment[] {
  const fitting: Assignment[] = [];
  for (let bits = 0; bits < 2 ** data.people.length && fitting.length < limit; bits++) {
    const who = new Map(data.people.map((name, i) => [name, ((bits >> i) & 1) === 1]));
    if (!firstBroken(data, who)) fitting.push(who);
  }
  return fitting;
}

function kindOf(knight: boolean): string {
  return knight ? 'a knight' : 'a knave';
}

/** A claim in the words models are trained on. */
export function claimText(claim: Claim): string {
  switch (claim.kind) {
    case 'is':
      return `${claim.who} is ${kindOf(claim.knight)}`;
    case 'same':
      return `${claim.a} and ${claim.b} are the same`;
    case 'different':
      return `${claim.a} and ${claim.b} are different`;
    default:
      return `${claimText(claim.left)} ${claim.kind} ${claimText(claim.right)}`;
  }
}

/** The whole puzzle as a prompt. */
export function promptText(data: KnightsData): string {
  return data.statements.map((s) => `${s.speaker} says ${claimText(s.claim)}.`).join(' ');
}

/** An answer as models write it: `A is a knave, B is a knight`. */
export function assignmentText(people: readonly string[], who: Assignment): string {
  return people.map((name) => `${name} is ${kindOf(who.get(name) === true)}`).join(', ');
}
