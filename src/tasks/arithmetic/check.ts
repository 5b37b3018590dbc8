/** Replays arithmetic on paper: each line against what is due by the lines before it. */
import { invalid, SCORES, type StepCheck, valid } from '../traced.ts';
import { type Column, calculated, columnText, type Expression, expressionText, nextExpression, Sheet } from './work.ts';

const COLUMN = /^(\d{1,2}[-+*]\d(?:[-+]\d)?)=(\d{1,3}) write (\d{1,3})(?: (?:carry|borrow) (\d{1,2}))?$/u;
const SO = /^so ([-+*\d]+)=(\d{1,15})$/u;
const WAIT = /^Wait, (.*) (yes|no)$/u;
const BACK = /^back (\S+)$/u;

/** The value of a column's calculation: one or two operators, multiplication first. */
function evaluated(sum: string): number {
  const [first, second, third] = sum.split(/[-+*]/u).map(Number) as [number, number, number?];
  const operators = sum.match(/[-+*]/gu) as string[];
  const head = operators[0] === '*' ? first * second : operators[0] === '+' ? first + second : first - second;
  return third === undefined ? head : operators[1] === '-' ? head - third : head + third;
}

interface Done {
  readonly expression: Expression;
  readonly value: number;
  /** The first calculation in it that was wrong, as it should be. */
  readonly wrong: string | null;
}

class Replay {
  readonly #whole: Expression;
  readonly #done: Done[] = [];
  #sheet: Sheet | null = null;
  /** Of the sheet under way. */
  #wrong: string | null = null;

  constructor(whole: Expression) {
    this.#whole = whole;
  }

  step(line: string): StepCheck {
    const column = COLUMN.exec(line);
    if (column) {
      const [, sum, result, write, carry] = column;
      return this.#column(line, {
        sum: sum as string,
        result: Number(result),
        write: Number(write),
        carry: Number(carry ?? 0),
      });
    }
    const so = SO.exec(line);
    if (so) return this.#so(so[1] as string, Number(so[2]));
    const wait = WAIT.exec(line);
    if (wait) return this.#wait(wait[1] as string, wait[2] as string);
    const back = BACK.exec(line);
    return back ? this.#back(back[1] as string) : invalid('This is not a line of arithmetic.');
  }

  #open(): Sheet | null {
    const expression = nextExpression(
      this.#whole,
      this.#done.map(({ value }) => value),
    );
    if (!this.#sheet && expression) this.#sheet = new Sheet(expression);
    return this.#sheet;
  }

  #column(line: string, column: Column): StepCheck {
    const sheet = this.#open();
    if (!sheet || sheet.complete) return invalid('No column is due.', SCORES.unfounded);
    const due = sheet.next();
    const right = columnText(due, sheet.expression.operator);
    sheet.take(column);
    if (line === right) return valid(SCORES.good, 'The column is right.');
    const value = evaluated(column.sum);
    this.#wrong ??= `${due.sum}=${due.result}`;
    if (value !== column.result) return invalid(`${column.sum} is ${value}, not ${column.result}.`);
    return invalid(`It should read "${right}".`, column.sum === due.sum ? SCORES.unfounded : SCORES.wrong);
  }

  #so(text: string, value: number): StepCheck {
    const sheet = this.#open();
    if (!sheet) return invalid('There is a result already.', SCORES.unfounded);
    const right = expressionText(sheet.expression);
    const { value: due, started, complete } = sheet;
    if (!started && value !== calculated(sheet.expression)) this.#wrong ??= `${right}=${calculated(sheet.expression)}`;
    this.#done.push({ expression: sheet.expression, value, wrong: this.#wrong });
    this.#sheet = null;
    this.#wrong = null;
    if (text !== right) return invalid(`What is due is ${right}, not ${text}.`, SCORES.unfounded);
    if (started && !complete) return invalid('Columns are missing.', SCORES.unfounded);
    if (value !== due) return invalid(`It comes to ${due}, not ${value}.`);
    return valid(SCORES.good, `${text} is as the columns say.`);
  }

  #wait(text: string, ending: string): StepCheck {
    if (this.#open()) return invalid('There is no result yet to look at again.', SCORES.unfounded);
    const wrong = this.#done.findIndex((done) => done.wrong !== null);
    const looked = (wrong < 0 ? this.#done : this.#done.slice(0, wrong)).map(
      ({ expression, value }) => `${expressionText(expression)}=${value}`,
    );
    const right = [...looked, ...(wrong < 0 ? [] : [this.#done[wrong]?.wrong])].join(', ');
    if (text !== right) return invalid(`It should read "${right}".`);
    if (ending !== (wrong < 0 ? 'yes' : 'no')) return invalid(`It ends with "${ending}".`, SCORES.unfounded);
    return valid(SCORES.good, wrong < 0 ? 'Everything is right.' : 'The second look finds the mistake.');
  }

  #back(text: string): StepCheck {
    const at = this.#done.findIndex(({ expression }) => expressionText(expression) === text);
    if (at < 0) return invalid(`${text} was not worked out.`, SCORES.unfounded);
    const wrong = this.#done.findIndex((done) => done.wrong !== null);
    this.#done.length = at;
    this.#sheet = null;
    this.#wrong = null;
    if (wrong < 0) return invalid('Nothing was wrong.', SCORES.unfounded);
    if (wrong !== at) return invalid('The mistake is elsewhere.', SCORES.unfounded);
    return valid(SCORES.good, `${text} is to be worked out anew.`);
  }
}

export function checkArithmetic(whole: Expression, lines: readonly string[]): StepCheck[] {
  const replay = new Replay(whole);
  return lines.map((line) => replay.step(line));
}
