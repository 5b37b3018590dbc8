/**
 * Arithmetic on paper, one line at a time. Whatever was written before, right or wrong, decides what is to be written next:
 * so the same code writes traces, goes on behind a mistake, and checks.
 *
 *   7*6=42 write 2 carry 4      a column, from the right
 *   so 47*6=282                 what the columns make
 */

export type Operator = '+' | '-' | '*';

export interface Expression {
  readonly left: number;
  readonly operator: Operator;
  readonly right: number;
}

export function expressionText({ left, operator, right }: Expression): string {
  return `${left}${operator}${right}`;
}

export function calculated({ left, operator, right }: Expression): number {
  return operator === '+' ? left + right : operator === '-' ? left - right : left * right;
}

/** Digit number `at` from the right; 0 beyond the first. */
function digit(value: number, at: number): number {
  return Math.floor(value / 10 ** at) % 10;
}

function digits(value: number): number {
  return String(value).length;
}

/** A column as it should be written, or was. */
export interface Column {
  /** The calculation's text without its result. */
  readonly sum: string;
  readonly result: number;
  readonly write: number;
  /** Carried or borrowed. */
  readonly carry: number;
}

export function columnText({ sum, result, write, carry }: Column, operator: Operator): string {
  const over = carry === 0 ? '' : ` ${operator === '-' ? 'borrow' : 'carry'} ${carry}`;
  return `${sum}=${result} write ${write}${over}`;
}

/** An expression worked out column by column. Multipliers have one digit that is not 0, then zeros. */
export class Sheet {
  readonly expression: Expression;
  /** Zeros behind the multiplier's digit. */
  readonly #shift: number;
  readonly columns: number;
  #done = 0;
  #carry = 0;
  #written = '';

  constructor(expression: Expression) {
    this.expression = expression;
    const { left, operator, right } = expression;
    this.#shift = operator === '*' ? digits(right) - 1 : 0;
    this.columns = operator === '+' ? Math.max(digits(left), digits(right)) : digits(left);
  }

  get started(): boolean {
    return this.#done > 0;
  }

  /** Whether the leftmost column is due: it carries nothing. */
  get last(): boolean {
    return this.#done === this.columns - 1;
  }

  get complete(): boolean {
    return this.#done === this.columns;
  }

  /** The column that is due, by what was carried so far. */
  next(): Column {
    const { left, operator, right } = this.expression;
    const carry = this.#carry;
    const x = digit(left, this.#done);
    if (operator === '-') {
      const y = digit(right, this.#done);
      const short = x - y - carry < 0;
      const top = short ? x + 10 : x;
      const result = top - y - carry;
      return { sum: `${top}-${y}${carry ? `-${carry}` : ''}`, result, write: result, carry: short ? 1 : 0 };
    }
    const y = operator === '*' ? digit(right, this.#shift) : digit(right, this.#done);
    const result = (operator === '*' ? x * y : x + y) + carry;
    const sum = `${x}${operator}${y}${carry ? `+${carry}` : ''}`;
    return this.last
      ? { sum, result, write: result, carry: 0 }
      : { sum, result, write: result % 10, carry: Math.floor(result / 10) };
  }

  /** Takes a column as it was written. */
  take({ write, carry }: Column): void {
    this.#written = `${write}${this.#written}`;
    this.#carry = carry;
    this.#done++;
  }

  /** What the columns make; before the first, what they should make. */
  get value(): number {
    return this.started ? Number(this.#written) * 10 ** this.#shift : calculated(this.expression);
  }
}

/** What the whole comes to in expressions: products with single digits, then their sums; results as they were written. */
export function nextExpression(whole: Expression, results: readonly number[]): Expression | null {
  const { left, operator, right } = whole;
  if (operator !== '*') return results.length === 0 ? whole : null;
  const parts: number[] = [];
  for (let at = 0; at < digits(right); at++) if (digit(right, at) !== 0) parts.push(digit(right, at) * 10 ** at);
  if (parts.length === 0) parts.push(0);
  const count = results.length;
  if (count < parts.length) return { left, operator: '*', right: parts[count] as number };
  // Sums: the first two products, then each sum with the next product.
  const sums = count - parts.length;
  if (sums === parts.length - 1) return null;
  const before = sums === 0 ? (results[0] as number) : (results[count - 1] as number);
  return { left: before, operator: '+', right: results[sums + 1] as number };
}
