/** What can be done with the numbers left, and whether it leads to the target: the ground under traces of Countdown. */
import { type CountdownStep, type Operator, operate } from './countdown-solver.ts';

export interface Move extends CountdownStep {
  /** The numbers behind it: the others in their order, then the result. */
  readonly rest: readonly number[];
}

const OPERATORS: readonly Operator[] = ['+', '-', '*', '/'];
/** Traces keep to results that a person would write down; only puzzles that need more go beyond. */
const LARGEST = 999;

/** Numbers as traces list them. */
export function listed(numbers: readonly number[]): string {
  return numbers.join(' ');
}

export function moveText({ left, operator, right, result }: CountdownStep): string {
  return `${left}${operator}${right}=${result}`;
}

/** The same for the same numbers in any order. */
export function keyOf(numbers: readonly number[]): string {
  return listed([...numbers].sort((a, b) => a - b));
}

export function sameNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && keyOf(a) === keyOf(b);
}

export class CountdownStates {
  readonly target: number;
  readonly #bounded: boolean;
  readonly #chances = new Map<string, number>();

  /** @param numbers all of the puzzle's, which has a solution. */
  constructor(numbers: readonly number[], target: number) {
    this.target = target;
    this.#bounded = true;
    if (this.chance(numbers) > 0) return;
    this.#bounded = false;
    this.#chances.clear();
  }

  /** The larger number, the operation, the smaller; null where that is not done. */
  #result(a: number, b: number, operator: Operator): number | null {
    const right = Math.min(a, b);
    if (operator === '/' && right === 1) return null;
    const result = operate(Math.max(a, b), operator, right);
    return result !== null && this.#bounded && (result === 0 || result > LARGEST) ? null : result;
  }

  /** Every different thing to do next. Larger numbers come first; nothing is divided by one. */
  moves(numbers: readonly number[]): Move[] {
    const found = new Map<string, Move>();
    for (let i = 0; i < numbers.length; i++) {
      for (let j = i + 1; j < numbers.length; j++) {
        const left = Math.max(numbers[i] as number, numbers[j] as number);
        const right = Math.min(numbers[i] as number, numbers[j] as number);
        for (const operator of OPERATORS) {
          const result = this.#result(left, right, operator);
          if (result === null) continue;
          const text = moveText({ left, operator, right, result });
          if (found.has(text)) continue;
          const rest = [...numbers.filter((_, at) => at !== i && at !== j), result];
          found.set(text, { left, operator, right, result, rest });
        }
      }
    }
    return [...found.values()];
  }

  /** How likely moves at random, each pair and operator alike, make the target. */
  chance(numbers: readonly number[]): number {
    if (numbers.length === 1) return numbers[0] === this.target ? 1 : 0;
    // Pairs are too many and too cheap to be remembered.
    const name = numbers.length > 2 ? keyOf(numbers) : null;
    const known = name === null ? undefined : this.#chances.get(name);
    if (known !== undefined) return known;
    let moves = 0;
    let sum = 0;
    for (let i = 0; i < numbers.length; i++) {
      for (let j = i + 1; j < numbers.length; j++) {
        const others = numbers.filter((_, at) => at !== i && at !== j);
        for (const operator of OPERATORS) {
          const result = this.#result(numbers[i] as number, numbers[j] as number, operator);
          if (result === null) continue;
          moves++;
          sum += others.length === 0 ? Number(result === this.target) : this.chance([...others, result]);
        }
      }
    }
    const chance = moves === 0 ? 0 : sum / moves;
    if (name !== null) this.#chances.set(name, chance);
    return chance;
  }

  solvable(numbers: readonly number[]): boolean {
    return this.chance(numbers) > 0;
  }
}
