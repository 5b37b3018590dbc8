/** A lane's own state: its tokens, its pages, what it has cost, and what it is doing. */
import type { LanePages } from '../kv/index.ts';
import { RunningLedger } from './lane-ledger.ts';
import type { Task } from './task.ts';

export class Sequence {
  readonly id: number;
  /** Tokens the lane holds. KV exists (or is on its way) for the first `pages.length` of them; it may be dropped at any
   * time and is then recomputed from these. */
  readonly tokens: number[];
  pages: LanePages;
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
}
