/** Reads Knights & Knaves statements that a person typed; every error says where, and what was expected there. */
import { badProblem, type Likeness } from './bad-problem.ts';
import type { Claim, IsClaim, Statement } from './knights-logic.ts';

export const KNIGHTS_ID = 'knights';
export const NAMES = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'H'] as const;
export const KNIGHTS_EXAMPLE =
  'A right one looks like "A says B is a knave. B says A and B are different."; a claim is "X is a knight", ' +
  '"X is a knave", "X and Y are the same", "X and Y are different", or two "is" claims joined by "and" or "or".';

interface Word {
  readonly text: string;
  /** 1-based position in the typed text. */
  readonly at: number;
}

/** Words and punctuation with their places. */
function wordsOf(text: string): Word[] {
  return [...text.matchAll(/\p{L}+|[^\s\p{L}]/gu)].map((m) => ({ text: m[0], at: m.index + 1 }));
}

class Reader {
  readonly #words: readonly Word[];
  readonly #likeness: Likeness;
  readonly #end: number;
  #next = 0;

  constructor(text: string) {
    this.#words = wordsOf(text);
    this.#end = text.length + 1;
    const lower = this.#words.map((word) => word.text.toLowerCase());
    this.#likeness = lower.includes('says') ? 2 : lower.some((word) => /^(knights?|knaves?)$/.test(word)) ? 1 : 0;
  }

  get done(): boolean {
    return this.#next >= this.#words.length;
  }

  fail(expected: string): never {
    const word = this.#words[this.#next];
    const where = word ? `At character ${word.at} (${JSON.stringify(word.text)})` : 'At the end';
    throw badProblem(KNIGHTS_ID, this.#likeness, `${where}: expected ${expected}.`, KNIGHTS_EXAMPLE, {
      at: word?.at ?? this.#end,
    });
  }

  /** Consumes one of `words` (any case) or returns null. */
  take(...words: string[]): string | null {
    const found = this.#words[this.#next]?.text.toLowerCase();
    if (found === undefined || !words.includes(found)) return null;
    this.#next++;
    return found;
  }

  expect(...words: string[]): string {
    return this.take(...words) ?? this.fail(words.map((word) => `"${word}"`).join(' or '));
  }

  name(): string {
    const name = this.#words[this.#next]?.text.toUpperCase();
    if (name === undefined || !NAMES.some((known) => known === name)) {
      this.fail(`a person, named by a letter from ${NAMES[0]} to ${NAMES.at(-1)}`);
    }
    this.#next++;
    return name;
  }
}

/** The rest of "X is …". */
function readIs(reader: Reader, who: string): IsClaim {
  reader.expect('a');
  return { kind: 'is', who, knight: reader.expect('knight', 'knave') === 'knight' };
}

function readClaim(reader: Reader): Claim {
  const first = reader.name();
  if (reader.expect('is', 'and') === 'and') {
    const second = reader.name();
    if (second === first) reader.fail(`two different people before it, but both are ${first}`);
    reader.expect('are');
    if (reader.take('different')) return { kind: 'different', a: first, b: second };
    reader.expect('the', 'different');
    reader.expect('same');
    return { kind: 'same', a: first, b: second };
  }
  const left = readIs(reader, first);
  const joint = reader.take('and', 'or');
  if (joint === null) return left;
  const second = reader.name();
  reader.expect('is');
  return { kind: joint as 'and' | 'or', left, right: readIs(reader, second) };
}

/**
 * Statements of the form `A says <claim>.`; the last full stop may be missing.
 * @throws ReckonError `bad-problem` with the place and what was expected there.
 */
export function parseStatements(text: string): Statement[] {
  const reader = new Reader(text);
  const statements: Statement[] = [];
  do {
    const speaker = reader.name();
    reader.expect('says');
    reader.take('that');
    statements.push({ speaker, claim: readClaim(reader) });
    if (!reader.done) reader.expect('.');
  } while (!reader.done);
  return statements;
}
