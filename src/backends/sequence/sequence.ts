/** The backend's one sequence, and what it holds: computes what a lane needs and no more. */
import type { SequenceDriver } from './driver.ts';

export class Sequence {
  readonly #driver: SequenceDriver;
  #held: number[] = [];
  /** Behind the last of `#held`; null where that was never computed or is not known any more. */
  #logits: Float32Array | null = null;

  constructor(driver: SequenceDriver) {
    this.#driver = driver;
  }

  /**
   * Logits behind `tokens` (at least one): goes on where the sequence is their beginning, else starts afresh.
   * @param counted called with the number of tokens that are computed for it.
   */
  async logitsBehind(tokens: readonly number[], counted: (rows: number) => void): Promise<Float32Array> {
    const goesOn = this.#logits !== null && startsWith(tokens, this.#held);
    if (goesOn && tokens.length === this.#held.length) return this.#logits as Float32Array;
    const from = goesOn ? this.#held.length : 0;
    this.#logits = null;
    if (!goesOn) await this.#driver.reset();
    const rest = tokens.slice(from);
    counted(rest.length);
    const logits = await this.#driver.forward(rest);
    this.#held = [...tokens];
    this.#logits = logits;
    return logits;
  }
}

function startsWith(tokens: readonly number[], beginning: readonly number[]): boolean {
  return beginning.length <= tokens.length && beginning.every((token, i) => token === tokens[i]);
}
