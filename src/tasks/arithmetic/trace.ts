/** Arithmetic written out digit by digit, with a slip and its mending where that is asked for. */
import type { Random } from '../random.ts';
import type { Reconsidering, Step, StepRole, Trace } from '../traced.ts';
import { type Column, columnText, type Expression, expressionText, nextExpression, Sheet } from './work.ts';

const SLIPS = [1, -1, 2, -2, 3, -3] as const;

interface Slip {
  /** Number of the column, over all expressions. */
  readonly at: number;
  readonly by: number;
}

function slipped(column: Column, { by }: Slip, last: boolean): Column {
  const result = column.result + by;
  if (column.sum.includes('-')) return { ...column, result, write: result };
  return last
    ? { ...column, result, write: result }
    : { ...column, result, write: result % 10, carry: Math.floor(result / 10) };
}

class Paper {
  readonly steps: Step[] = [];
  readonly #whole: Expression;
  readonly #slip: Slip | null;
  readonly #results: number[] = [];
  readonly #done: Expression[] = [];
  /** The expression with the slip, and its wrong column as it should be. */
  #wrong: { index: number; right: string } | null = null;
  #columns = 0;

  constructor(whole: Expression, slip: Slip | null) {
    this.#whole = whole;
    this.#slip = slip;
  }

  #write(text: string, role: StepRole, sound = true): void {
    // Behind a slip nothing is left out, or nobody could see where it was.
    this.steps.push({ text, role: this.#slip ? 'path' : role, ...(sound ? {} : { sound }) });
  }

  #work(expression: Expression): void {
    const sheet = new Sheet(expression);
    while (!sheet.complete) {
      const right = sheet.next();
      const slips = this.#slip !== null && !this.#wrong && this.#columns === this.#slip.at;
      const column = slips ? slipped(right, this.#slip as Slip, sheet.last) : right;
      if (slips) this.#wrong = { index: this.#done.length, right: `${right.sum}=${right.result}` };
      this.#write(columnText(column, expression.operator), 'detail', !slips);
      sheet.take(column);
      this.#columns++;
    }
    this.#write(`so ${expressionText(expression)}=${sheet.value}`, 'path');
    this.#done.push(expression);
    this.#results.push(sheet.value);
  }

  /** Works on until there is a result. */
  finish(): number {
    for (;;) {
      const expression = nextExpression(this.#whole, this.#results);
      if (!expression) return this.#results.at(-1) as number;
      this.#work(expression);
    }
  }

  /** Looks at every result again; from a wrong one on, the work is to be done anew. */
  recheck(): void {
    const wrong = this.#wrong;
    const upTo = wrong ? wrong.index : this.#done.length;
    const looked = this.#done.slice(0, upTo).map((one, i) => `${expressionText(one)}=${this.#results[i]}`);
    this.#write(`Wait, ${[...looked, ...(wrong ? [wrong.right] : [])].join(', ')} ${wrong ? 'no' : 'yes'}`, 'path');
    if (!wrong) return;
    this.#write(`back ${expressionText(this.#done[upTo] as Expression)}`, 'path');
    this.#done.length = upTo;
    this.#results.length = upTo;
  }

  get slipped(): boolean {
    return this.#wrong !== null;
  }
}

/** Columns that working an expression out takes, without a slip. */
export function columnsOf(whole: Expression): number {
  const paper = new Paper(whole, null);
  paper.finish();
  return paper.steps.filter(({ role }) => role === 'detail').length;
}

/** @returns null where `late` is asked for and the drawn slip leads nowhere that can be written. */
export function traceArithmetic(whole: Expression, random: Random, reconsidering: Reconsidering): Trace | null {
  const slip = reconsidering === 'late' ? { at: random.below(columnsOf(whole)), by: random.pick(SLIPS) } : null;
  const paper = new Paper(whole, slip);
  const first = paper.finish();
  if (reconsidering !== 'none') paper.recheck();
  const value = reconsidering === 'late' ? paper.finish() : first;
  const legible = paper.steps.every(({ text }) => !/[=-]-| -|write \d{2} carry|write \d{3}/.test(text));
  return slip && !legible ? null : { steps: paper.steps, answer: String(value) };
}
