/** A lane's own state: its tokens, its pages, what it has cost, and what it is doing. */
import type { LanePages } from '../kv/index.ts';
import { RunningLedger } from './lane-ledger.ts';
import { PolicyHistory } from './policy-history.ts';
import type { Task } from './task.ts';

export class Sequence {
  readonly id: number;
  /** Tokens the lane holds. KV exists (or is on its way) for the first `pages.length` of them; it may be dropped at any
   * time and is then recomputed from these. */
  readonly tokens: number[];
  pages: LanePages;
  /** How the KV of each token was computed; never of the last one while the lane rests. */
  history = new PolicyHistory();
  /** The first this many tokens were given, not generated: their pages may serve lanes to come. */
  given: number;
  /** Where its costs go; a scratch copy of a lane charges the lane it was made for. */
  readonly ledger: RunningLedger;
  task: Task | null = null;
  disposed = false;

  constructor(id: number, tokens: number[], given: number, pages: LanePages, ledger = new RunningLedger()) {
    this.id = id;
    this.tokens = tokens;
    this.given = given;
    this.pages = pages;
    this.ledger = ledger;
  }

  /**
   * Forgets KV and policies beyond what a lane of its tokens keeps while it rests: all but the last token's. That one is
   * computed by whatever comes next, under the policy of then, so that no chance of timing decides about it.
   */
  settle(): void {
    const length = Math.max(0, this.tokens.length - 1);
    if (this.pages.length > length) this.pages.truncate(length);
    this.history.truncate(length);
  }

  /** Starts without KV from pages of an equal prompt, which were computed densely. */
  adopt(pages: readonly number[], length: number): void {
    if (length === 0) return;
    this.pages.adopt(pages, length);
    this.history.note(length, null);
  }
}
