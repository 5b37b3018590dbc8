/** Stop strings over streamed text. */
import { ReckonError } from '../errors.ts';

export interface StopResult {
  /** Text that is certain to lie before any stop string. */
  readonly emit: string;
  /** The stop string that ended the text; null while none has. */
  readonly stopped: string | null;
}

/** Length of the longest proper prefix of one of `wanted` that `text` ends with. */
export function openSuffix(text: string, wanted: readonly string[]): number {
  let longest = 0;
  for (const string of wanted) {
    for (let length = Math.min(string.length - 1, text.length); length > longest; length--) {
      if (text.endsWith(string.slice(0, length))) longest = length;
    }
  }
  return longest;
}

/**
 * Watches for stop strings. It stops at the first place where one is complete (the longest, where several end there), and
 * holds back no more than could still become one: what it says does not depend on how the text was cut.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = '';
  #stopped: string | null = null;

  /** @throws ReckonError `bad-option` for a stop string that is empty or no string. */
  constructor(stops: readonly string[]) {
    for (const [index, stop] of stops.entries()) {
      if (typeof stop === 'string' && stop !== '') continue;
      throw new ReckonError('bad-option', `Stop string ${index} is ${JSON.stringify(stop)}.`, {
        hint: 'Stop strings are texts of at least one character.',
        details: { index },
      });
    }
    this.#stops = [...stops];
  }

  /** The stop string that ended the text; null while none has. */
  get stopped(): string | null {
    return this.#stopped;
  }

  /** Takes more text. After a stop it gives nothing more. */
  push(text: string): StopResult {
    if (this.#stopped !== null) return { emit: '', stopped: this.#stopped };
    const buffer = this.#held + text;
    let best: { at: number; stop: string } | null = null;
    for (const stop of this.#stops) {
      const at = buffer.indexOf(stop);
      if (at < 0) continue;
      const [end, bestEnd] = [at + stop.length, best === null ? Number.POSITIVE_INFINITY : best.at + best.stop.length];
      if (end < bestEnd || (end === bestEnd && best !== null && at < best.at)) best = { at, stop };
    }
    if (best) {
      this.#held = '';
      this.#stopped = best.stop;
      return { emit: buffer.slice(0, best.at), stopped: best.stop };
    }
    const keep = openSuffix(buffer, this.#stops);
    this.#held = buffer.slice(buffer.length - keep);
    return { emit: buffer.slice(0, buffer.length - keep), stopped: null };
  }

  /** The text held back, at the end of the stream. */
  flush(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }
}
