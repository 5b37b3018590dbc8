/** Reads a puzzle of islanders that a person typed; every error says where, and what was expected there. */
import { badProblem, type Likeness } from '../bad-problem.ts';
import type { Claim, IslandersData, Statement } from './claims.ts';
import { NAMES, REPORTS } from './wording.ts';

export const ISLANDERS_ID = 'kk';
export const ISLANDERS_EXAMPLE =
  'A right one looks like "Alice says that Bob is a knave. Bob says that if Alice is a knight then Bob is a knave."; ' +
  'claims join "X is a knight" and "X is a knave" by "and", "or", "if … then …", "… if and only if …", ' +
  '"it is not true that …", and within each other by "both … and …" and "either … or …".';

interface Word {
  readonly text: string;
  /** 1-based position in the typed text. */
  readonly at: number;
}

/** Levels of brackets that are read; deeper ones are nobody's puzzle. */
const DEEPEST = 20;

class Reader {
  readonly #words: readonly Word[];
  readonly #likeness: Likeness;
  readonly #end: number;
  readonly people: string[] = [];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#words = [...text.matchAll(/\p{L}+|[^\s\p{L}]/gu)].map((m) => ({ text: m[0], at: m.index + 1 }));
    this.#end = text.length + 1;
    const lower = this.#words.map((word) => word.text.toLowerCase());
    const verbs = ['says', 'claims', 'tells'];
    const named = NAMES.some((name) => lower.includes(name.toLowerCase()));
    this.#likeness =
      named && lower.some((word) => verbs.includes(word))
        ? 2
        : lower.some((w) => /^(knights?|knaves?)$/.test(w))
          ? 1
          : 0;
  }

  get done(): boolean {
    return this.#next >= this.#words.length;
  }

  fail(expected: string): never {
    const word = this.#words[this.#next];
    const where = word ? `At character ${word.at} (${JSON.stringify(word.text)})` : 'At the end';
    throw badProblem(ISLANDERS_ID, this.#likeness, `${where}: expected ${expected}.`, ISLANDERS_EXAMPLE, {
      at: word?.at ?? this.#end,
    });
  }

  /** Consumes these words in a row (any case) or none. */
  take(...words: string[]): boolean {
    const there = words.every((word, i) => this.#words[this.#next + i]?.text.toLowerCase() === word);
    if (there) this.#next += words.length;
    return there;
  }

  expect(...words: string[]): void {
    for (const word of words) if (!this.take(word)) this.fail(`"${word}"`);
  }

  /** The number of a person, counted as they are first named. */
  person(): number {
    const word = this.#words[this.#next]?.text.toLowerCase();
    const name = NAMES.find((known) => known.toLowerCase() === word);
    if (name === undefined) this.fail(`a person: ${NAMES.slice(0, 3).join(', ')} … ${NAMES.at(-1)}`);
    this.#next++;
    const at = this.people.indexOf(name);
    return at < 0 ? this.people.push(name) - 1 : at;
  }

  part(): Claim {
    if (++this.#depth > DEEPEST) this.fail('an end: claims are nested too deeply');
    const read = this.#part();
    this.#depth--;
    return read;
  }

  #part(): Claim {
    if (this.take('it', 'is', 'not', 'true', 'that')) return { kind: 'not', of: this.part() };
    for (const [open, kind] of [
      ['both', 'and'],
      ['either', 'or'],
    ] as const) {
      if (!this.take(open)) continue;
      const left = this.part();
      this.expect(kind);
      return { kind, left, right: this.part() };
    }
    const who = this.person();
    this.expect('is', 'a');
    if (this.take('knight')) return { kind: 'is', who, knight: true };
    if (!this.take('knave')) this.fail('"knight" or "knave"');
    return { kind: 'is', who, knight: false };
  }

  claim(): Claim {
    if (this.take('if')) {
      const left = this.part();
      this.take(',');
      this.expect('then');
      return { kind: 'if', left, right: this.part() };
    }
    const left = this.part();
    if (this.take('if', 'and', 'only', 'if')) return { kind: 'iff', left, right: this.part() };
    for (const kind of ['and', 'or'] as const) if (this.take(kind)) return { kind, left, right: this.part() };
    return left;
  }

  /** How somebody reports: an index into REPORTS. */
  report(): number {
    if (this.take('claims')) {
      this.take('that');
      return REPORTS.indexOf('claims that');
    }
    if (this.take('tells')) {
      this.expect('you');
      this.take('that');
      return REPORTS.indexOf('tells you that');
    }
    if (!this.take('says')) this.fail('"says", "claims" or "tells you"');
    return this.take('that') ? REPORTS.indexOf('says that') : REPORTS.indexOf('says');
  }
}

/**
 * Statements such as `Alice says that Bob is a knave.`; the last full stop may be missing. People are listed in the order
 * in which they speak, then those who only are spoken of.
 * @throws ReckonError `bad-problem` with the place and what was expected there.
 */
export function parseIslanders(text: string): { data: IslandersData; reports: number[] } {
  const reader = new Reader(text);
  const read: Statement[] = [];
  const reports: number[] = [];
  do {
    const speaker = reader.person();
    reports.push(reader.report());
    read.push({ speaker, claim: reader.claim() });
    if (!reader.done) reader.expect('.');
  } while (!reader.done);
  const order = [...new Set([...read.map(({ speaker }) => speaker), ...reader.people.keys()])];
  const renumber = (claim: Claim): Claim => {
    if (claim.kind === 'is') return { ...claim, who: order.indexOf(claim.who) };
    if (claim.kind === 'not') return { kind: 'not', of: renumber(claim.of) };
    return { kind: claim.kind, left: renumber(claim.left), right: renumber(claim.right) };
  };
  const statements = read.map(({ speaker, claim }) => ({ speaker: order.indexOf(speaker), claim: renumber(claim) }));
  return { data: { people: order.map((who) => reader.people[who] as string), statements }, reports };
}
