/** The least that a backend must offer to be an engine: one sequence, tokens in, logits out. */

/**
 * One sequence in somebody else's runtime. Calls come one at a time. Its failures are typed errors, after which the next call
 * is `reset`.
 */
export interface SequenceDriver {
  /** For messages: "web-llm". */
  readonly name: string;
  /** Tokens the model knows: the length of its logits. */
  readonly vocabulary: number;
  /** Longest sequence, tokens. */
  readonly maxContext: number;
  /** KV bytes of a token, where they are known; else 0. */
  readonly bytesPerToken: number;
  /** Forgets the sequence. */
  reset(): Promise<void>;
  /**
   * Appends `tokens` (at least one) to the sequence.
   * @returns the logits behind the last of them, f32 [vocabulary], as the model has them; the caller's to keep.
   */
  forward(tokens: readonly number[]): Promise<Float32Array>;
  dispose(): void;
}
