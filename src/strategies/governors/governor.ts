/**
 * A governor shapes a lane's thinking from outside the model. Each is asked at fixed places what to do; the lane's course
 * (`candidate.ts`) carries out the first order it gets, and knows none of them by name.
 */
import type { Lane, Sampling } from '../../engine/types.ts';
import type { SteerEvent } from '../types.ts';

/** A lane's thinking so far. Counts are of tokens, forced ones included. */
export interface Thought {
  /** Held by the lane now. */
  readonly held: number;
  /** Held, and taken back. */
  readonly spent: number;
  /** The lane, between two stretches of generation: nothing else runs on it. Not to be changed, only forked. */
  readonly lane: Lane;
  /** The candidate's seed. */
  readonly seed: number;
}

/** What is to happen to a lane's thinking. Done in this order: take back, write, close. */
export interface Order {
  readonly action: SteerEvent['action'];
  /** One sentence, for the event. */
  readonly reason: string;
  /** Take back all but this many tokens of the thinking. */
  readonly keep?: number;
  /** Write this as forced tokens. */
  readonly write?: string;
  /** Draw with this seed from here on. */
  readonly seed?: number;
}

/** The model ended its thinking, or its turn, by itself. */
export interface Closing {
  /** Tokens of the thinking without those that closed it. */
  readonly before: number;
  /** The tokens that closed it: the marker's, or the one that ended the turn. */
  readonly tokens: readonly number[];
}

export interface Governor {
  /** At most this many tokens until it wants to `pause`; asked before each stretch. Default: no limit. */
  reach?(thought: Thought): number;
  /** The sampling of the next stretch. */
  sampling?(given: Sampling, thought: Thought): Sampling;
  /** A token came. No order is heard on a forced one. */
  token?(token: number, thought: Thought, forced: boolean): Order | null;
  /** Asked before each stretch. */
  pause?(thought: Thought): Order | null | Promise<Order | null>;
  /** Whether to let the model close; null lets it. */
  close?(closing: Closing, thought: Thought): Order | null;
  /** All but `held` tokens were taken back. */
  rewind?(held: number): void;
}

/** The first order that any of them gives. */
export function firstOrder(
  governors: readonly Governor[],
  ask: (governor: Governor) => Order | null | undefined,
): Order | null {
  for (const governor of governors) {
    const order = ask(governor);
    if (order) return order;
  }
  return null;
}
