/** Replays a trace of Countdown line by line. */
import { type CountdownStep, type Operator, operate } from './countdown-solver.ts';
import { CountdownStates, listed, moveText, sameNumbers } from './countdown-states.ts';
import { invalid, SCORES, type StepCheck, valid } from './traced.ts';

const NUMBER = '(0|[1-9]\\d{0,8})';
const CALCULATION = new RegExp(`^${NUMBER}([-+*/])${NUMBER}=${NUMBER}$`, 'u');
const MOVE = /^(\S+) left ((?:\d{1,9} ?)+)$/u;
const LAST = /^(\S+) (yes|no)$/u;
const UNEVEN = new RegExp(`^${NUMBER}/${NUMBER} no$`, 'u');
const BACK = /^back ((?:\d{1,9} ?)+)$/u;
const WAIT = /^Wait, (.*) (yes|no)$/u;

interface State {
  readonly numbers: readonly number[];
  /** How it came about; absent at the start. */
  readonly by?: CountdownStep;
}

function numbersOf(text: string): number[] {
  return text.trim().split(' ').map(Number);
}

function calculationOf(text: string): CountdownStep | null {
  const match = CALCULATION.exec(text);
  if (!match) return null;
  const [, left, operator, right, result] = match;
  return { left: Number(left), operator: operator as Operator, right: Number(right), result: Number(result) };
}

/** What is wrong with a calculation by itself, or null. */
function miscalculated({ left, operator, right, result }: CountdownStep): string | null {
  const value = operate(left, operator, right);
  if (value === null) return `${left}${operator}${right} is not allowed.`;
  return value === result ? null : `${left}${operator}${right} is ${value}, not ${result}.`;
}

class Replay {
  readonly #states: CountdownStates;
  /** From the numbers given to those left. */
  readonly #stack: State[];
  /** The last move, once one claims to make the target. */
  #claimed: CountdownStep | null = null;

  constructor(numbers: readonly number[], target: number) {
    this.#states = new CountdownStates(numbers, target);
    this.#stack = [{ numbers }];
  }

  step(line: string): StepCheck {
    const back = BACK.exec(line);
    if (back) return this.#back(numbersOf(back[1] as string));
    const wait = WAIT.exec(line);
    if (wait) return this.#wait((wait[1] as string).split(', '), wait[2] === 'yes');
    const uneven = UNEVEN.exec(line);
    if (uneven) return this.#uneven(Number(uneven[1]), Number(uneven[2]));
    const move = MOVE.exec(line);
    const last = LAST.exec(line);
    const made = calculationOf((move ?? last)?.[1] ?? '');
    if (!made) return invalid('This is not a step of such a search.');
    return move ? this.#move(made, numbersOf(move[2] as string)) : this.#last(made, last?.[2] === 'yes');
  }

  get #top(): State {
    return this.#stack.at(-1) as State;
  }

  /** The numbers without the operands, or what is wrong. */
  #without({ left, right }: Pick<CountdownStep, 'left' | 'right'>): number[] | StepCheck {
    const held = [...this.#top.numbers];
    for (const operand of [left, right]) {
      const at = held.indexOf(operand);
      if (at < 0) return invalid(`${operand} is not among ${listed(this.#top.numbers)}.`);
      held.splice(at, 1);
    }
    return held;
  }

  #move(made: CountdownStep, rest: readonly number[]): StepCheck {
    const finished = this.#claimed !== null;
    const held = this.#without(made);
    // The next steps are held to what was claimed to be left, unless it is not even as many numbers: with every number more,
    // what can be made of them takes far longer to find out.
    const plausible = rest.length === this.#top.numbers.length - 1;
    const due = Array.isArray(held) ? [...held, made.result] : this.#top.numbers.slice(1);
    this.#stack.push({ numbers: plausible ? rest : due, by: made });
    this.#claimed = null;
    if (!Array.isArray(held)) return held as StepCheck;
    const wrong = miscalculated(made);
    if (wrong) return invalid(wrong);
    if (!sameNumbers([...held, made.result], rest)) {
      return invalid(`What is left is ${listed([...held, made.result])}, not ${listed(rest)}.`);
    }
    if (finished) return invalid('The target was made already.', SCORES.unfounded);
    return this.#states.solvable(rest)
      ? valid(SCORES.good, `${listed(rest)} can make ${this.#states.target}.`)
      : valid(SCORES.astray, `Right, but ${listed(rest)} cannot make ${this.#states.target}.`);
  }

  #last(made: CountdownStep, yes: boolean): StepCheck {
    const held = this.#without(made);
    if (yes) this.#claimed = made;
    if (!Array.isArray(held)) return held as StepCheck;
    const wrong = miscalculated(made);
    if (wrong) return invalid(wrong);
    if (held.length > 0) return invalid(`${listed(held)} would not be used.`, SCORES.unfounded);
    const { target } = this.#states;
    if ((made.result === target) !== yes) {
      return invalid(`${made.result} is ${yes ? 'not ' : ''}${target}.`, SCORES.unfounded);
    }
    return valid(SCORES.good, yes ? `This makes ${target}.` : `${made.result} is not ${target}.`);
  }

  #uneven(left: number, right: number): StepCheck {
    const held = this.#without({ left, right });
    if (!Array.isArray(held)) return held as StepCheck;
    const result = operate(left, '/', right);
    if (result !== null) return invalid(`${left}/${right} comes out even: it is ${result}.`);
    return this.#states.solvable(this.#top.numbers)
      ? valid(SCORES.good, `${left}/${right} does not come out even.`)
      : valid(SCORES.astray, `${left}/${right} does not come out even, and nothing else leads on.`);
  }

  #back(numbers: readonly number[]): StepCheck {
    const finished = this.#claimed !== null;
    this.#claimed = null;
    const at = this.#stack.findLastIndex((state) => sameNumbers(state.numbers, numbers));
    if (at < 0) return invalid(`${listed(numbers)} were never the numbers left.`, SCORES.unfounded);
    const same = at === this.#stack.length - 1;
    this.#stack.length = at + 1;
    if (same && !finished) return invalid(`${listed(numbers)} are the numbers left now.`, SCORES.unfounded);
    return this.#states.solvable(numbers)
      ? valid(SCORES.good, 'There is a way from there.')
      : valid(SCORES.astray, 'Allowed, but there is no way from there either.');
  }

  /** A second look: every move again, with its right result, until one was wrong. */
  #wait(texts: readonly string[], yes: boolean): StepCheck {
    const moves = [...this.#stack.flatMap(({ by }) => by ?? []), ...(this.#claimed ? [this.#claimed] : [])];
    if (!this.#claimed) return invalid('Nothing was claimed that could be looked at again.', SCORES.unfounded);
    const wrong = moves.findIndex((move) => miscalculated(move) !== null);
    const looked = wrong < 0 ? moves : moves.slice(0, wrong + 1);
    const right = looked.map((move) => {
      const result = operate(move.left, move.operator, move.right);
      return moveText({ ...move, result: result ?? move.result });
    });
    if (texts.join(', ') !== right.join(', ')) return invalid(`It should read "${right.join(', ')}".`);
    const makes = wrong < 0 && this.#claimed.result === this.#states.target;
    if (makes !== yes) return invalid(`It ends with "${yes ? 'yes' : 'no'}".`, SCORES.unfounded);
    return valid(SCORES.good, yes ? 'Everything is right.' : 'The second look finds the mistake.');
  }
}

export function checkCountdown(numbers: readonly number[], target: number, lines: readonly string[]): StepCheck[] {
  const replay = new Replay(numbers, target);
  return lines.map((line) => replay.step(line));
}
