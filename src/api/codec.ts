/** The engine's view of a model's text: tokenizer, detokenizer and stop strings together. */
import type { TextCodec } from '../engine/engine.ts';
import type { TextSink } from '../engine/generate-task.ts';
import { Detokenizer, StopMatcher, type Tokenizer } from '../text/index.ts';

export function textCodec(tokenizer: Tokenizer): TextCodec {
  return {
    encode: (text) => tokenizer.encode(text),
    decode: (tokens) => tokenizer.decode(tokens),
    sink: (stopStrings) => new Sink(tokenizer, stopStrings),
  };
}

class Sink implements TextSink {
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher | null;

  constructor(tokenizer: Tokenizer, stopStrings: readonly string[]) {
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
