/** No close before a number of tokens. */
import type { Closing, Governor, Order, Thought } from './governor.ts';

export const EARLY_CUE = '\nWait,';

export interface MinThinkingOptions {
  readonly minTokens: number;
  readonly mode: 'suppress' | 'cue';
  readonly cue: string;
  /** Tokens of the closing marker. */
  readonly marker: readonly number[];
}

/**
 * `suppress` bans the marker where it is one token; whatever else the model ends with (its end token, a marker spelled
 * in pieces) is taken back when it first comes, and its first token banned: an end token up to the minimum, a piece for
 * the one place. `cue` takes the close back and writes the cue in its place.
 */
export function minThinking({ minTokens, mode, cue, marker }: MinThinkingOptions): Governor {
  const banned = new Set(mode === 'suppress' && marker.length === 1 ? marker : []);
  /** A piece of a marker may not be drawn at this place. */
  let piece: { token: number; at: number } | null = null;
  const bansAt = (held: number): number[] => [...banned, ...(piece?.at === held ? [piece.token] : [])];
  return {
    reach: ({ held }) => (held >= minTokens ? Number.POSITIVE_INFINITY : piece?.at === held ? 1 : minTokens - held),
    sampling(given, { held }) {
      const bans = held < minTokens ? bansAt(held) : [];
      if (bans.length === 0) return given;
      const biases = new Map(given.biases);
      for (const token of bans) biases.set(token, Number.NEGATIVE_INFINITY);
      return { ...given, biases };
    },
    close({ before, tokens }: Closing, _: Thought): Order | null {
      const [first] = tokens;
      if (before >= minTokens || first === undefined) return null;
      const reason = `It would have closed after ${before} of at least ${minTokens} tokens.`;
      if (mode === 'cue') return { action: 'cue', reason, keep: before, write: cue };
      if (tokens.length === 1) banned.add(first);
      else piece = { token: first, at: before };
      return { action: 'continue', reason, keep: before };
    },
  };
}
