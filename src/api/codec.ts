/** The engine's view of a model's text: tokenizer, detokenizer and stop strings together. */
import type { TextCodec } from '../engine/engine.ts';
import type { TextSink } from '../engine/generate-task.ts';
import { Detokenizer, StopMatcher, type ThinkingDialect, type Tokenizer } from '../text/index.ts';

/**
 * What lanes generate is text for people: special tokens (ends of turns, padding) have none there. The dialect's markers
 * do, whatever the tokenizer calls them: the thinking is told by them.
 */
export function textCodec(tokenizer: Tokenizer, dialect: Pick<ThinkingDialect, 'open' | 'marker'>): TextCodec {
  const hidden = new Set(tokenizer.specials);
  for (const marker of [dialect.open, dialect.marker]) {
    const id = tokenizer.added.get(marker);
    if (id !== undefined) hidden.delete(id);
  }
  const visible = {
    decode: (ids: ArrayLike<number>) => tokenizer.decode(Array.from(ids).filter((id) => !hidden.has(id))),
  };
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (tokens) => tokenizer.decode(tokens),
    sink: (stopStrings) => new Sink(visible, stopStrings),
  };
}

class Sink implements TextSink {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher | null;

  constructor(tokenizer: Pick<Tokenizer, 'decode'>, stopStrings: readonly string[]) {
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = stopStrings.length > 0 ? new StopMatcher(stopStrings) : null;
  }

  push(token: number): { text: string; stopped: boolean } {
    const text = this.#detokenizer.push(token);
    if (!this.#stops) return { text, stopped: false };
    const { emit, stopped } = this.#stops.push(text);
    return { text: emit, stopped: stopped !== null };
  }

  flush(): string {
    const rest = this.#detokenizer.flush();
    if (!this.#stops) return rest;
    return this.#stops.push(rest).emit + this.#stops.flush();
  }
}
