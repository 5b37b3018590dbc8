/**
 * Text across stretches of one generation. An engine decodes each call of `generate` by itself, so a character whose bytes
 * lie on both sides of a seam comes out as two replacement characters; here it is put together.
 */

const BROKEN = /\ufffd+$/;
/** A character has at most four bytes, hence tokens; with context, more is garbage. */
const MAX_OPEN = 8;

export class Seam {
  readonly #decode: (tokens: readonly number[]) => string;
  /** Tokens since the last one with text. */
  #silent: number[] = [];
  /** Tokens around the seam whose text is still open; empty when none is. */
  #open: number[] = [];
  /** Characters of their text that were given already. */
  #shown = 0;
  /** Tokens of this stretch that belong to a character from before it, and characters the engine has said of them. */
  #orphans: number[] = [];
  #said = 0;
  /** Characters that the engine, which saw only the rest of the character, will still say for it. */
  #skip = 0;

  constructor(decode: (tokens: readonly number[]) => string) {
    this.#decode = decode;
  }

  /**
   * The text of the next token.
   * @param said the engine's text for it.
   * @param last whether its stretch ends with it.
   */
  push(token: number, said: string, last: boolean): string {
    const text = this.#open.length > 0 ? this.#join(token, said) : this.#follow(token, said, last);
    if (last) {
      this.#orphans = [];
      this.#said = 0;
      this.#skip = 0;
    }
    return text;
  }

  #follow(token: number, said: string, last: boolean): string {
    const text = said.slice(this.#skip);
    this.#skip -= said.length - text.length;
    if (last && BROKEN.test(text)) {
      this.#open = [...this.#silent, token];
      this.#silent = [];
      this.#shown = this.#decode(this.#open).replace(BROKEN, '').length;
      return text.replace(BROKEN, '');
    }
    this.#silent = text === '' ? [...this.#silent.slice(1 - MAX_OPEN), token] : [];
    return text;
  }

  #join(token: number, said: string): string {
    this.#open.push(token);
    this.#orphans.push(token);
    this.#said += said.length;
    const whole = this.#decode(this.#open);
    if (BROKEN.test(whole) && this.#open.length < MAX_OPEN) return '';
    this.#open = [];
    this.#skip = Math.max(0, this.#decode(this.#orphans).length - this.#said);
    return whole.slice(this.#shown);
  }
}
