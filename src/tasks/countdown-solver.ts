/**
 * Exact solver for Countdown with every number used once. Values of all subsets of up to four numbers are listed;
 * larger sets are searched from the target backwards, one split at a time, so six numbers take milliseconds.
 */
export type Operator = '+' | '-' | '*' | '/';

/** One step of an answer: `left op right = result`. */
export interface CountdownStep {
  readonly left: number;
  readonly operator: Operator;
  readonly right: number;
  readonly result: number;
}

/** How a value was made: a given number, or one operation on two values of disjoint subsets. */
type Made =
  | { readonly value: number; readonly operator?: undefined }
  | { readonly value: number; readonly operator: Operator; readonly left: Made; readonly right: Made };

/**
 * The result of one operation under the rules: differences not negative, quotients exact and never by zero.
 * @returns null where the rules forbid it.
 */
export function operate(left: number, operator: Operator, right: number): number | null {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left >= right ? left - right : null;
    case '*':
      return left * right;
    case '/':
      return right !== 0 && left % right === 0 ? left / right : null;
  }
}

/** Subsets up to this size are listed in full. */
const LISTED = 4;

function bits(mask: number): number {
  let count = 0;
  for (let rest = mask; rest !== 0; rest &= rest - 1) count++;
  return count;
}

class Search {
  readonly #numbers: readonly number[];
  readonly #lists = new Map<number, Map<number, Made>>();
  readonly #failed = new Set<string>();

  constructor(numbers: readonly number[]) {
    this.#numbers = numbers;
  }

  /** Every value of a small subset, each with one way to make it. */
  #values(mask: number): Map<number, Made> {
    const known = this.#lists.get(mask);
    if (known) return known;
    const made = new Map<number, Made>();
    this.#lists.set(mask, made);
    if (bits(mask) === 1) {
      const value = this.#numbers[31 - Math.clz32(mask)] as number;
      made.set(value, { value });
      return made;
    }
    const keep = (left: Made, operator: Operator, right: Made) => {
      const value = operate(left.value, operator, right.value);
      if (value !== null && !made.has(value)) made.set(value, { value, operator, left, right });
    };
    // Each unordered split once: the part holding the lowest bit comes first.
    const lowest = mask & -mask;
    for (let part = (mask - 1) & mask; part > 0; part = (part - 1) & mask) {
      if ((part & lowest) === 0) continue;
      for (const a of this.#values(part).values()) {
        for (const b of this.#values(mask & ~part).values()) {
          keep(a, '+', b);
          keep(a, '*', b);
          keep(a, '-', b);
          keep(b, '-', a);
          keep(a, '/', b);
          keep(b, '/', a);
        }
      }
    }
    return made;
  }

  /** A way to make `target` of all numbers in `mask`, or null. */
  make(mask: number, target: number): Made | null {
    if (bits(mask) <= LISTED) return this.#values(mask).get(target) ?? null;
    const key = `${mask}:${target}`;
    if (this.#failed.has(key)) return null;
    const lowest = mask & -mask;
    for (let part = (mask - 1) & mask; part > 0; part = (part - 1) & mask) {
      if ((part & lowest) === 0) continue;
      const rest = mask & ~part;
      const [large, small] = bits(part) >= bits(rest) ? [part, rest] : [rest, part];
      const found = this.#split(large, small, target);
      if (found) return found;
    }
    this.#failed.add(key);
    return null;
  }

  /** Goes through the values of `small` and asks `large` for the partner that would make the target. */
  #split(large: number, small: number, target: number): Made | null {
    for (const b of this.#values(small).values()) {
      const v = b.value;
      const join = (partner: number, operator: Operator, flipped: boolean): Made | null => {
        const a = this.make(large, partner);
        if (!a) return null;
        return { value: target, operator, left: flipped ? b : a, right: flipped ? a : b };
      };
      const found =
        (target >= v ? join(target - v, '+', false) : null) ??
        join(target + v, '-', false) ??
        (v >= target ? join(v - target, '-', true) : null) ??
        (v !== 0 && target % v === 0 ? join(target / v, '*', false) : null) ??
        (v !== 0 ? join(target * v, '/', false) : null) ??
        (v !== 0 && target !== 0 && v % target === 0 ? join(v / target, '/', true) : null) ??
        // Zero times anything, and zero by anything, is zero: any partner will do.
        (v === 0 && target === 0 ? this.#zero(large, b) : null);
      if (found) return found;
    }
    return null;
  }

  #zero(large: number, zero: Made): Made {
    let sum: Made | null = null;
    for (let i = 0; i < this.#numbers.length; i++) {
      if ((large & (1 << i)) === 0) continue;
      const next: Made = { value: this.#numbers[i] as number };
      sum = sum ? { value: sum.value + next.value, operator: '+', left: sum, right: next } : next;
    }
    return { value: 0, operator: '*', left: sum as Made, right: zero };
  }
}

function listSteps(made: Made, into: CountdownStep[]): void {
  if (made.operator === undefined) return;
  listSteps(made.left, into);
  listSteps(made.right, into);
  into.push({ left: made.left.value, operator: made.operator, right: made.right.value, result: made.value });
}

/**
 * Steps that make `target` of all `numbers`, each used once, or null where none exist.
 * @param numbers one to eight whole numbers from 1; six take milliseconds.
 * @param target whole number from 0.
 */
export function solveCountdown(numbers: readonly number[], target: number): CountdownStep[] | null {
  const found = new Search(numbers).make((1 << numbers.length) - 1, target);
  if (!found) return null;
  const steps: CountdownStep[] = [];
  listSteps(found, steps);
  return steps;
}

/** The reachable target nearest to `target` within `low` … `high` (the smaller of two equally near), or null. */
export function nearestTarget(numbers: readonly number[], target: number, low: number, high: number): number | null {
  const search = new Search(numbers);
  const all = (1 << numbers.length) - 1;
  for (let distance = 0; distance <= Math.max(Math.abs(target - low), Math.abs(high - target)); distance++) {
    for (const near of [target - distance, target + distance]) {
      if (near >= low && near <= high && search.make(all, near)) return near;
    }
  }
  return null;
}

/** An answer as models write it: `9*10=90, 90-13=77`. */
export function formatSteps(steps: readonly CountdownStep[]): string {
  return steps.map((s) => `${s.left}${s.operator}${s.right}=${s.result}`).join(', ');
}
