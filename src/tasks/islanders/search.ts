/**
 * A backtracking search written out: a supposition a line, with everybody's state, and behind it a line for each statement that
 * it may decide. People are considered in order, but those whom the last supposed speaker mentions come
 * first; each is supposed to be of one kind, then of the other. A supposition falls when a statement of somebody supposed
 * comes out against them; when both kinds have fallen, the last supposition before is taken back.
 */
import type { Random } from '../random.ts';
import type { Reconsidering, Step, StepRole, Trace } from '../traced.ts';
import { type Claim, evaluate, fits, type IslandersData, type Known, mentioned, type Statement } from './claims.ts';
import { assignmentText, kindOf, lookText, mark, markedText, stateText } from './wording.ts';

interface Supposition {
  readonly who: number;
  /** Kinds not tried yet. */
  readonly left: boolean[];
  /** Lines that belong to it: those from here on are a detour should it be taken back. */
  readonly since: number;
}

/**
 * The statements that supposing `who` may decide: those of `who`, then those of people supposed before that mention `who`.
 */
export function touched({ statements }: IslandersData, order: readonly number[], who: number): Statement[] {
  const own = statements.filter(({ speaker }) => speaker === who);
  const others = order.flatMap((other) =>
    statements.filter(({ speaker, claim }) => speaker === other && mentioned(claim).includes(who)),
  );
  return [...own, ...others];
}

export function clashText({ people }: IslandersData, { speaker }: Statement, known: Readonly<Known>): string {
  return `but ${people[speaker]} ${kindOf(known[speaker] === true)}`;
}

/** `Bob fails, reconsider Alice`. */
export function reconsiderText({ people }: IslandersData, failed: readonly number[], who: number): string {
  const names = failed.map((one) => people[one]).join(', ');
  const start = failed.length === 0 ? '' : `${names} ${failed.length === 1 ? 'fails' : 'fail'}, `;
  return `${start}reconsider ${people[who]}`;
}

/** A supposition, and everybody's state with it: `Bob knave: Alice knight Bob knave Carol ?`. */
export function supposeText({ people }: IslandersData, who: number, known: Readonly<Known>): string {
  return `${people[who]} ${kindOf(known[who] === true)}: ${stateText(people, known)}`;
}

export function waitText({ people }: IslandersData, known: Readonly<Known>): string {
  return `Wait, ${stateText(people, known)}`;
}

/**
 * How far the search trusts in how likely a claim is, 0 to 1: so little that as many suppositions come to nothing as in the
 * published corpus, 0.40 (three people) to 0.49 (seven).
 */
const TRUST = 0.35;

/** How likely a claim is when whoever is not known is either kind alike, and its parts say nothing of each other. */
function chance(claim: Claim, known: Readonly<Known>): number {
  switch (claim.kind) {
    case 'is': {
      const value = evaluate(claim, known);
      return value === null ? 0.5 : Number(value);
    }
    case 'not':
      return 1 - chance(claim.of, known);
  }
  const [left, right] = [chance(claim.left, known), chance(claim.right, known)];
  if (claim.kind === 'and') return left * right;
  if (claim.kind === 'or') return 1 - (1 - left) * (1 - right);
  if (claim.kind === 'if') return 1 - left * (1 - right);
  return left * right + (1 - left) * (1 - right);
}

class Search {
  readonly #data: IslandersData;
  readonly #random: Random;
  readonly #known: Known;
  readonly #stack: Supposition[] = [];
  readonly #lines: { text: string; role: StepRole; sound: boolean }[] = [];
  /** How many clashes to see before one is overlooked; negative: none is. */
  #blind: number;
  #overlooked = false;

  constructor(data: IslandersData, random: Random, blind: number) {
    this.#data = data;
    this.#random = random;
    this.#known = data.people.map(() => null);
    this.#blind = blind;
  }

  #write(text: string, role: StepRole, sound = true): void {
    this.#lines.push({ text, role: this.#overlooked ? 'path' : role, sound });
  }

  get #order(): number[] {
    return this.#stack.map(({ who }) => who);
  }

  /** Whom to consider next: someone whom the last possible of those supposed mentions, else the first in the list. */
  #next(): number {
    const free = (who: number) => this.#known[who] === null;
    for (const { who: last } of [...this.#stack].reverse()) {
      const named = this.#data.statements.filter(({ speaker }) => speaker === last);
      const open = named.flatMap(({ claim }) => mentioned(claim)).filter(free);
      if (open.length > 0) return Math.min(...open);
    }
    return this.#known.indexOf(null);
  }

  /** Writes one supposition out, a statement a line. @returns whether it stands. */
  #suppose(who: number, knight: boolean): boolean {
    const order = this.#order;
    this.#known[who] = knight;
    const lines: { text: string; sound: boolean }[] = [
      { text: supposeText(this.#data, who, this.#known), sound: true },
    ];
    const statements = touched(this.#data, order, who);
    let stands = true;
    for (const [i, statement] of statements.entries()) {
      const look = lookText(statement, this.#data.people, this.#known);
      if (fits(statement, this.#known)) {
        lines.push({ text: i < statements.length - 1 ? look : `${look} ok`, sound: true });
        continue;
      }
      if (!this.#overlooked && this.#blind-- === 0) {
        this.#overlooked = true;
        lines.push({ text: `${this.#misread(statement)} ok`, sound: false });
        break;
      }
      lines.push({ text: `${look} ${clashText(this.#data, statement, this.#known)}`, sound: true });
      stands = false;
      break;
    }
    for (const { text, sound } of lines) this.#write(text, stands ? 'path' : 'failure', sound);
    if (!stands) this.#known[who] = null;
    return stands;
  }

  /** A look at a statement that finds the opposite of what is there. */
  #misread({ speaker, claim }: Statement): string {
    const { people } = this.#data;
    const wrong = mark(evaluate(claim, this.#known) === false);
    return `${people[speaker]} says ${markedText(claim, people, this.#known)} is ${wrong}`;
  }

  /** Takes suppositions back until one has a kind left. */
  #turnBack(failed: number[]): Supposition {
    for (;;) {
      const top = this.#stack.pop() as Supposition;
      this.#known[top.who] = null;
      if (top.left.length === 0) {
        failed.push(top.who);
        continue;
      }
      // Behind a mistake everything stays to be read, or nobody could see what is taken back.
      if (!this.#overlooked) for (const line of this.#lines.slice(top.since)) line.role = 'detour';
      this.#write(reconsiderText(this.#data, failed, top.who), 'detour');
      return top;
    }
  }

  /** Looks at every statement once more. @returns the first that does not fit, or null. */
  #recheck(): Statement | null {
    this.#write(waitText(this.#data, this.#known), 'path');
    const { statements, people } = this.#data;
    for (const [i, statement] of statements.entries()) {
      const look = lookText(statement, people, this.#known);
      if (!fits(statement, this.#known)) {
        this.#write(`${look} ${clashText(this.#data, statement, this.#known)}`, 'path');
        return statement;
      }
      this.#write(i < statements.length - 1 ? look : `${look} all fit`, 'path');
    }
    return null;
  }

  /** The mistake lies with the last supposition that a clash involves; what came behind it goes with it. */
  #mend({ speaker, claim }: Statement): Supposition {
    const involved = [speaker, ...mentioned(claim)];
    while (!involved.includes((this.#stack.at(-1) as Supposition).who)) {
      this.#known[(this.#stack.pop() as Supposition).who] = null;
    }
    return this.#turnBack([]);
  }

  /** Runs until everybody is known. */
  #complete(start: Supposition | null): void {
    let current = start;
    while (current || this.#stack.length < this.#data.people.length) {
      if (!current) {
        const who = this.#next();
        current = { who, left: this.#kinds(who), since: this.#lines.length };
      }
      const knight = current.left.shift();
      if (knight === undefined) current = this.#turnBack([current.who]);
      else if (this.#suppose(current.who, knight)) {
        this.#stack.push(current);
        current = null;
      }
    }
  }

  /** Both kinds, the likelier first most often: somebody whose claim is seldom true is seldom a knight. */
  #kinds(who: number): boolean[] {
    const claim = this.#data.statements.find(({ speaker }) => speaker === who)?.claim;
    const odds = 0.5 + TRUST * ((claim ? chance(claim, this.#known) : 0.5) - 0.5);
    return this.#random.below(1000) < 1000 * odds ? [true, false] : [false, true];
  }

  run(reconsidering: Reconsidering): Trace | null {
    this.#complete(null);
    if (reconsidering === 'late') {
      const broken = this.#overlooked ? this.#recheck() : null;
      if (!broken) return null;
      this.#complete(this.#mend(broken));
    } else if (reconsidering === 'recheck') this.#recheck();
    const knights = this.#known.map((knight) => knight === true);
    return { steps: this.#lines as Step[], answer: assignmentText(this.#data.people, knights) };
  }
}

/** How many clashes a search is taken to have when one is to be overlooked. */
const CLASHES = 4;

/** @returns null where `late` is asked for and the drawn mistake did not come to light at the end. */
export function searchIslanders(data: IslandersData, random: Random, reconsidering: Reconsidering): Trace | null {
  return new Search(data, random, reconsidering === 'late' ? random.below(CLASHES) : -1).run(reconsidering);
}

const SUPPOSED = /^[A-Z][a-z]* (?:knight|knave):/u;

/** Suppositions a search with knights first makes, refuted ones included: how hard a puzzle is. */
export function searchSize(data: IslandersData): number {
  const first = { below: () => 0 } as Pick<Random, 'below'> as Random;
  const trace = new Search(data, first, -1).run('none') as Trace;
  return trace.steps.filter(({ text }) => SUPPOSED.test(text)).length;
}
