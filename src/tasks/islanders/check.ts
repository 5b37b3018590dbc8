/** Replays a trace of Knights & Knaves line by line: are its facts true, and does each conclusion follow? */
import { invalid, SCORES, type StepCheck, valid } from '../traced.ts';
import { evaluate, fits, type IslandersData, type Known, mentioned, type Statement } from './claims.ts';
import { clashText, reconsiderText, supposeText, touched, waitText } from './search.ts';
import { kindOf, lookText } from './wording.ts';

const SUPPOSE = /^([A-Z][a-z]*) (knight|knave):/u;
const LOOK = /^([A-Z][a-z]*) says (.*? is [TF?])(?: (ok|all fit|but [A-Z][a-z]* (?:knight|knave)))?$/u;
const RECONSIDER = /^(?:([A-Za-z, ]*?) fails?, )?reconsider ([A-Z][a-z]*)$/u;
const WAIT = /^Wait, /u;

/** Statements to be looked at, in this order, and what a look without a clash says at the end. */
interface Looking {
  readonly statements: readonly Statement[];
  at: number;
  readonly fine: 'ok' | 'all fit';
  /** Who is supposed; null where everything is looked at again. */
  readonly who: number | null;
  readonly score: number;
}

class Replay {
  readonly #data: IslandersData;
  readonly #solution: readonly boolean[];
  readonly #known: Known;
  readonly #stack: number[] = [];
  /** Kinds that fell, by person, since the supposition before. */
  readonly #fallen = new Map<number, Set<boolean>>();
  #looking: Looking | null = null;

  constructor(data: IslandersData, solution: readonly boolean[]) {
    this.#data = data;
    this.#solution = solution;
    this.#known = data.people.map(() => null);
  }

  step(line: string): StepCheck {
    const look = LOOK.exec(line);
    if (look) return this.#look(look[1] as string, `${look[1]} says ${look[2]}`, look[3]);
    const unfinished = this.#leave();
    const suppose = SUPPOSE.exec(line);
    if (suppose) return this.#suppose(line, suppose[1] as string, suppose[2] === 'knight', unfinished);
    const back = RECONSIDER.exec(line);
    if (back) return this.#reconsider(line, back[1], back[2] as string, unfinished);
    if (WAIT.test(line)) return this.#wait(line, unfinished);
    return invalid('This is not a step of such a search.');
  }

  #person(name: string): number {
    return this.#data.people.indexOf(name);
  }

  #fall(who: number, knight: boolean): void {
    const fallen = this.#fallen.get(who) ?? new Set();
    this.#fallen.set(who, fallen.add(knight));
  }

  /** Whether everything supposed is as in the solution. */
  #onTheWay(): boolean {
    return this.#stack.every((who) => this.#known[who] === this.#solution[who]);
  }

  /** Ends looking. @returns what is wrong with ending it here, or null. */
  #leave(): StepCheck | null {
    const looking = this.#looking;
    this.#looking = null;
    if (!looking) return null;
    if (looking.who !== null) this.#accept(looking.who);
    return invalid('Not every statement that matters has been looked at.', SCORES.unfounded);
  }

  #accept(who: number): void {
    this.#stack.push(who);
    this.#fallen.delete(who);
  }

  #suppose(line: string, name: string, knight: boolean, unfinished: StepCheck | null): StepCheck {
    const who = this.#person(name);
    if (who < 0) return invalid(`${name} is not in the puzzle.`);
    if (this.#known[who] !== null) return invalid(`${name} is supposed already.`, SCORES.unfounded);
    const statements = touched(this.#data, this.#stack, who);
    const hopeful = this.#onTheWay();
    this.#known[who] = knight;
    const clash = statements.some((statement) => !fits(statement, this.#known));
    // A supposition that falls at once costs no turning back.
    const good = hopeful && (clash || knight === this.#solution[who]);
    const score = good ? SCORES.good : SCORES.astray;
    this.#looking = { statements, at: 0, fine: 'ok', who, score };
    const right = supposeText(this.#data, who, this.#known);
    if (line !== right) return invalid(`It should read ${JSON.stringify(right)}.`);
    if (unfinished) return unfinished;
    return good
      ? valid(score, `${name} is to be tried so.`)
      : valid(score, `${name} may be tried so, but no solution lies there.`);
  }

  /** One statement looked at; `ending`, behind `line`, is what is concluded from it, if anything. */
  #look(name: string, line: string, ending: string | undefined): StepCheck {
    const looking = this.#looking;
    if (!looking) return invalid('Nothing is to be looked at here.', SCORES.unfounded);
    const statement = looking.statements[looking.at++];
    const clash = statement !== undefined && !fits(statement, this.#known);
    const last = looking.at >= looking.statements.length;
    const verdict = this.#verdict(looking, name, line, ending, statement, clash, last);
    if (ending !== undefined) {
      this.#looking = null;
      this.#conclude(looking, ending, statement);
    }
    return verdict;
  }

  #verdict(
    looking: Looking,
    name: string,
    line: string,
    ending: string | undefined,
    statement: Statement | undefined,
    clash: boolean,
    last: boolean,
  ): StepCheck {
    const { people } = this.#data;
    if (!statement || people[statement.speaker] !== name) {
      return invalid('A statement is looked at that is not the next to matter.', SCORES.unfounded);
    }
    const look = lookText(statement, people, this.#known);
    if (line !== look) return invalid(`It should read ${JSON.stringify(look)}.`);
    const right = clash ? clashText(this.#data, statement, this.#known) : last ? looking.fine : undefined;
    if (ending !== right) {
      return invalid(
        `It should end ${right === undefined ? 'without a verdict' : `with "${right}"`}.`,
        SCORES.unfounded,
      );
    }
    if (looking.who === null) {
      if (clash) return valid(SCORES.good, 'The second look finds the mistake.');
      if (!last || statement === undefined) return valid(SCORES.good, 'That fits.');
      const open = looking.statements.some(({ claim }) => evaluate(claim, this.#known) === null);
      return open ? invalid('Not everybody is known yet.', SCORES.unfounded) : valid(SCORES.good, 'Everything fits.');
    }
    const who = people[looking.who] as string;
    if (clash) return valid(looking.score, `${who} cannot be a ${kindOf(this.#known[looking.who] === true)} here.`);
    return valid(looking.score, ending === undefined ? 'That fits.' : `${who} may be so.`);
  }

  /** What a line's last words do, right or not: a search goes on from what it has written. */
  #conclude({ who }: Looking, ending: string, statement: Statement | undefined): void {
    if (who === null) {
      if (!ending.startsWith('but') || !statement) return;
      // What was supposed behind the last person involved goes with the mistake.
      const involved = [statement.speaker, ...mentioned(statement.claim)];
      while (this.#stack.length > 0 && !involved.includes(this.#stack.at(-1) as number)) {
        this.#known[this.#stack.pop() as number] = null;
      }
    } else if (ending === 'ok') this.#accept(who);
    else {
      const knight = this.#known[who] === true;
      this.#known[who] = null;
      this.#fall(who, knight);
    }
  }

  #reconsider(line: string, failedText: string | undefined, name: string, unfinished: StepCheck | null): StepCheck {
    const who = this.#person(name);
    const at = this.#stack.indexOf(who);
    if (who < 0 || at < 0) return invalid(`${name} is not supposed, and cannot be reconsidered.`, SCORES.unfounded);
    const failed = (failedText ?? '').split(', ').filter((one) => one !== '');
    const before = this.#stack.slice(at);
    const knight = this.#known[who] === true;
    for (const one of before) this.#known[one] = null;
    this.#stack.length = at;
    const numbers = failed.map((one) => this.#person(one));
    const right = reconsiderText(this.#data, numbers, who);
    const justified = this.#justified(numbers, before);
    for (const one of before.slice(1)) this.#fallen.delete(one);
    for (const one of numbers) this.#fallen.delete(one);
    this.#fall(who, knight);
    if (line !== right) return invalid(`It should read ${JSON.stringify(right)}.`);
    if (unfinished) return unfinished;
    if (justified) return justified;
    if (this.#fallen.get(who)?.size === 2) {
      return invalid(`${name} has been tried both ways already.`, SCORES.unfounded);
    }
    return this.#onTheWay()
      ? valid(SCORES.good, `${name} is to be tried the other way.`)
      : valid(SCORES.astray, `${name} is to be tried the other way, but the mistake lies before.`);
  }

  /** Whoever is said to have failed must have failed both ways: those tried last, then suppositions taken back. */
  #justified(failed: readonly number[], before: readonly number[]): StepCheck | null {
    const { people } = this.#data;
    if (failed.includes(-1)) return invalid('Somebody who is not in the puzzle is said to fail.');
    const [first, ...rest] = failed;
    // Behind "Wait," the person to reconsider is named without anybody failing.
    if (first === undefined) return null;
    if (!before.includes(first) && this.#fallen.get(first)?.size !== 2) {
      return invalid(`${people[first]} was not tried both ways.`, SCORES.unfounded);
    }
    for (const one of rest) {
      if (!before.includes(one)) return invalid(`${people[one]} was not supposed.`, SCORES.unfounded);
    }
    return null;
  }

  #wait(line: string, unfinished: StepCheck | null): StepCheck {
    const { statements } = this.#data;
    this.#looking = { statements, at: 0, fine: 'all fit', who: null, score: SCORES.good };
    const right = waitText(this.#data, this.#known);
    if (line !== right) return invalid(`It should read ${JSON.stringify(right)}.`);
    return unfinished ?? valid(SCORES.good, 'Everything is to be looked at again.');
  }
}

export function checkIslanders(
  data: IslandersData,
  solution: readonly boolean[],
  lines: readonly string[],
): StepCheck[] {
  const replay = new Replay(data, solution);
  return lines.map((line) => replay.step(line));
}
