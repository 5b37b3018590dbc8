/**
 * Streaming detokenizer. Decoding ids one by one and joining the texts is wrong: a character may span tokens, and some
 * decoders treat the first token differently. So a short window of ids is decoded again with each token, and only what
 * can no longer change is given out.
 */
import type { Tokenizer } from './tokenizer.ts';

/** What decoders write for bytes that are no character, or none yet. */
const UNFINISHED = '\ufffd';
/** A character spans at most four bytes, hence four tokens; longer windows are split where that is safe. */
const MAX_CHARACTER_TOKENS = 4;
const MAX_WINDOW = 12;

/**
 * Turns ids into text as they come. The texts returned, joined, are `decode` of all ids; each token costs a bounded amount
 * of work, however long the text.
 */
export class Detokenizer {
  readonly #tokenizer: Pick<Tokenizer, 'decode'>;
  readonly #skipSpecialTokens: boolean;
  /** Ids still decoded: those of the last settled text, for context, then those that came since. */
  #window: number[] = [];
  /** How many ids at the front of the window are context. */
  #settled = 0;
  /** Characters of the window's text that have been given out. */
  #given = 0;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, options: { skipSpecialTokens?: boolean } = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecialTokens = options.skipSpecialTokens ?? false;
  }

  /** The text that `id` completes: empty while a character is open. */
  push(id: number): string {
    this.#window.push(id);
    const text = this.#decode(this.#window);
    const open = text.endsWith(UNFINISHED);
    const ready = open ? text.length - 1 : text.length;
    const output = text.slice(this.#given, ready);
    this.#given = Math.max(this.#given, ready);
    if (!open) {
      const latest = this.#window.slice(this.#settled);
      const length = this.#decode(latest).length;
      // Ids without text (left-out specials) are no context: what follows them would look like the first token.
      if (length === 0 && this.#window.length <= MAX_WINDOW) return output;
      this.#window = latest;
      this.#settled = latest.length;
      this.#given = length;
    } else if (this.#window.length > MAX_WINDOW) {
      this.#split(text);
    }
    return output;
  }

  /** The text held back, at the end of the stream; the detokenizer is then as new. */
  flush(): string {
    const rest = this.#decode(this.#window).slice(this.#given);
    this.#window = [];
    this.#settled = 0;
    this.#given = 0;
    return rest;
  }

  /** Shortens a window that bytes without meaning keep open: to a tail that decodes the same with and without its head. */
  #split(text: string): void {
    const latest = this.#window.length - MAX_CHARACTER_TOKENS;
    for (let at = latest; at > 0 && at > latest - MAX_CHARACTER_TOKENS; at--) {
      const head = this.#decode(this.#window.slice(0, at));
      const tail = this.#window.slice(at);
      if (head.length > this.#given || head + this.#decode(tail) !== text) continue;
      this.#window = tail;
      this.#settled = 0;
      this.#given -= head.length;
      return;
    }
  }

  #decode(ids: readonly number[]): string {
    return this.#tokenizer.decode(ids, { skipSpecialTokens: this.#skipSpecialTokens });
  }
}
