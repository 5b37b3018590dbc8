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
  #shown = 0;
  /** The engine, which saw only the rest of the character, will still give something for it. */
  #leftover = false;

  constructor(decode: (tokens: readonly number[]) => string) {
    this.#decode = decode;
  }

  /**
   * The text of the next token.
   * @param said the engine's text for it.
   * @param last whether its stretch ends with it.
   */
  push(token: number, said: string, last: boolean): string {
    if (this.#open.length > 0) return this.#join(token);
    const text = this.#leftover && said !== '' ? said.replace(/^\ufffd+/, '') : said;
    if (said !== '') this.#leftover = false;
    if (last && BROKEN.test(text)) {
      this.#open = [...this.#silent, token];
      this.#silent = [];
      this.#shown = this.#decode(this.#open).replace(BROKEN, '').length;
      return text.replace(BROKEN, '');
    }
    this.#silent = said === '' ? [...this.#silent.slice(1 - MAX_OPEN), token] : [];
    return text;
  }

  #join(token: number): string {
    this.#open.push(token);
    const whole = this.#decode(this.#open);
    if (BROKEN.test(whole) && this.#open.length < MAX_OPEN) return '';
    const text = whole.slice(this.#shown);
    this.#open = [];
    this.#leftover = true;
    return text;
  }
}
