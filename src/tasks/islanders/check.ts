/** Replays a trace of Knights & Knaves line by line: are its facts true, and does each conclusion follow? */
import { invalid, SCORES, type StepCheck, valid } from '../traced.ts';
import { evaluate, fits, type IslandersData, type Known, mentioned, type Statement } from './claims.ts';
import { clashText, reconsiderText, touched } from './search.ts';
import { kindOf, lookText } from './wording.ts';

const SUPPOSE = /^([A-Z][a-z]*) (knight|knave):(.*)$/u;
const RECONSIDER = /^(?:([A-Za-z, ]*?) fails?, )?reconsider ([A-Z][a-z]*)(?:: (.*))?$/u;
const WAIT = /^Wait, (.*)$/u;
const ENDING = /^(.*?) ?(ok|all fit|but [A-Z][a-z]* (?:knight|knave))$/u;

class Replay {
  readonly #data: IslandersData;
  readonly #solution: readonly boolean[];
  readonly #known: Known;
  readonly #stack: number[] = [];
  /** Kinds that fell, by person, since the supposition before. */
  readonly #fallen = new Map<number, Set<boolean>>();

  constructor(data: IslandersData, solution: readonly boolean[]) {
    this.#data = data;
    this.#solution = solution;
    this.#known = data.people.map(() => null);
  }

  step(line: string): StepCheck {
    const suppose = SUPPOSE.exec(line);
    if (suppose) return this.#suppose(suppose[1] as string, suppose[2] === 'knight', (suppose[3] as string).trim());
    const back = RECONSIDER.exec(line);
    if (back) return this.#reconsider(line, back[1], back[2] as string);
    const wait = WAIT.exec(line);
    if (wait) return this.#wait(wait[1] as string);
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

  #suppose(name: string, knight: boolean, rest: string): StepCheck {
    const who = this.#person(name);
    if (who < 0) return invalid(`${name} is not in the puzzle.`);
    if (this.#known[who] !== null) return invalid(`${name} is supposed already.`, SCORES.unfounded);
    const ending = ENDING.exec(rest);
    if (!ending || ending[2] === 'all fit') return invalid('The supposition ends without "ok" or "but".');
    const statements = touched(this.#data, this.#stack, who);
    this.#known[who] = knight;
    const clash = statements.find((statement) => !fits(statement, this.#known));
    const verdict = this.#looks(ending[1] as string, ending[2] as string, statements, clash, 'ok');
    if (ending[2] === 'ok') {
      this.#stack.push(who);
      this.#fallen.delete(who);
      return verdict ?? this.#stands(name);
    }
    this.#known[who] = null;
    this.#fall(who, knight);
    return verdict ?? valid(SCORES.good, `${name} cannot be a ${kindOf(knight)} here.`);
  }

  #stands(name: string): StepCheck {
    return this.#onTheWay()
      ? valid(SCORES.good, `${name} may be so.`)
      : valid(SCORES.astray, `${name} may be so as far as is known, but no solution lies there.`);
  }

  /** What is wrong with the statements looked at and the conclusion, or null. `fine` is how a line ends without a clash. */
  #looks(
    written: string,
    ending: string,
    statements: readonly Statement[],
    clash: Statement | undefined,
    fine: string,
  ): StepCheck | null {
    const { people } = this.#data;
    const looks = written === '' ? [] : written.split('; ');
    for (const [i, look] of looks.entries()) {
      const statement = statements[i];
      if (!statement) return invalid('A statement is looked at that this does not touch.', SCORES.unfounded);
      const right = lookText(statement, people, this.#known);
      if (look !== right) return invalid(`${JSON.stringify(look)} should read ${JSON.stringify(right)}.`);
    }
    const wanted = clash ? statements.indexOf(clash) + 1 : statements.length;
    if (looks.length !== wanted) {
      return invalid(`${looks.length} statements are looked at, not ${wanted}.`, SCORES.unfounded);
    }
    const right = clash ? clashText(this.#data, clash, this.#known) : fine;
    return ending === right ? null : invalid(`It ends with "${ending}" instead of "${right}".`, SCORES.unfounded);
  }

  #reconsider(line: string, failedText: string | undefined, name: string): StepCheck {
    const who = this.#person(name);
    const at = this.#stack.indexOf(who);
    if (who < 0 || at < 0) return invalid(`${name} is not supposed, and cannot be reconsidered.`, SCORES.unfounded);
    const failed = (failedText ?? '').split(', ').filter((one) => one !== '');
    const before = this.#stack.slice(at);
    const knight = this.#known[who] === true;
    for (const one of before) this.#known[one] = null;
    this.#stack.length = at;
    const standing = this.#stack
      .map((one) => `${this.#data.people[one]} ${kindOf(this.#known[one] === true)}`)
      .join(', ');
    const numbers = failed.map((one) => this.#person(one));
    const right = reconsiderText(this.#data, numbers, who, standing);
    const justified = this.#justified(numbers, before);
    for (const one of before.slice(1)) this.#fallen.delete(one);
    for (const one of numbers) this.#fallen.delete(one);
    this.#fall(who, knight);
    if (line !== right) return invalid(`It should read ${JSON.stringify(right)}.`);
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

  #wait(rest: string): StepCheck {
    const ending = ENDING.exec(rest);
    if (!ending || ending[2] === 'ok') return invalid('The second look ends without "all fit" or "but".');
    const { statements } = this.#data;
    const clash = statements.find((statement) => !fits(statement, this.#known));
    const wrong = this.#looks(ending[1] as string, ending[2] as string, statements, clash, 'all fit');
    if (wrong) return wrong;
    if (!clash && statements.some(({ claim }) => evaluate(claim, this.#known) === null)) {
      return invalid('Not everybody is known yet.', SCORES.unfounded);
    }
    if (clash) {
      // What was supposed behind the last person involved goes with the mistake.
      const involved = [clash.speaker, ...mentioned(clash.claim)];
      while (this.#stack.length > 0 && !involved.includes(this.#stack.at(-1) as number)) {
        this.#known[this.#stack.pop() as number] = null;
      }
    }
    return valid(SCORES.good, clash ? 'The second look finds the mistake.' : 'Everything fits.');
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
