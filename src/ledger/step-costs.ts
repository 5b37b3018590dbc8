/**
 * The cost of one engine step while it is recorded, and its split over the lanes it served. Flat arrays: a step adds some
 * hundred entries and must not allocate.
 */
import { COST_CLASSES, type Cost, type CostByClass, type CostClass, zeroCosts } from './cost.ts';

/**
 * How a dispatch's cost is shared out over lanes:
 * - `rows`: by the rows a lane has in the step (weights are read once for all of them, so each row pays an equal part);
 * - `attended`: by the KV tokens its rows attend to;
 * - `searched`: by the keys and page summaries that selections score for it;
 * - `logits`: by the rows it wants logits of.
 */
export const SHARES = ['rows', 'attended', 'searched', 'logits'] as const;
export type Share = (typeof SHARES)[number];

/** A lane's part of each share, as fractions of the step's whole. */
export type ShareFractions = Record<Share, number>;

/** The same, and its part of what attention would cost if every row attended to everything. */
export interface LaneFractions extends ShareFractions {
  denseAttended: number;
}

const CLASSES = COST_CLASSES.length;
const index = (share: number, kind: number) => (share * CLASSES + kind) * 2;
const SHARE_INDEX = Object.fromEntries(SHARES.map((name, i) => [name, i])) as Record<Share, number>;
/** All of a step. */
export const WHOLE: LaneFractions = { rows: 1, attended: 1, searched: 1, logits: 1, denseAttended: 1 };

const CLASS_INDEX = Object.fromEntries(COST_CLASSES.map((name, i) => [name, i])) as Record<CostClass, number>;

export class StepCosts {
  readonly #sums = new Float64Array(SHARES.length * CLASSES * 2);
  /** What attention would have cost had every row attended to everything; in no sum. */
  readonly denseAttention: Cost = { flops: 0, bytes: 0 };

  reset(): void {
    this.#sums.fill(0);
    this.denseAttention.flops = 0;
    this.denseAttention.bytes = 0;
  }

  /**
   * Adds a dispatch of class `attention`, shared out by tokens attended, and beside it what it would have cost had its
   * rows attended to everything.
   */
  addAttention(flops: number, bytes: number, denseFlops: number, denseBytes: number): void {
    this.add('attended', 'attention', flops, bytes);
    this.denseAttention.flops += denseFlops;
    this.denseAttention.bytes += denseBytes;
  }

  /** Adds one dispatch. */
  add(share: Share, kind: CostClass, flops: number, bytes: number): void {
    const at = index(SHARE_INDEX[share], CLASS_INDEX[kind]);
    this.#sums[at]! += flops;
    this.#sums[at + 1]! += bytes;
  }

  /** Adds this step's whole cost into `into`. */
  addTotal(into: CostByClass): void {
    this.addPart(into, WHOLE);
  }

  /** Adds a lane's part into `into`. */
  addPart(into: CostByClass, part: ShareFractions): void {
    for (let share = 0; share < SHARES.length; share++) {
      const fraction = part[SHARES[share]!];
      if (fraction === 0) continue;
      for (let kind = 0; kind < CLASSES; kind++) {
        const at = index(share, kind);
        const cost = into[COST_CLASSES[kind]!];
        cost.flops += this.#sums[at]! * fraction;
        cost.bytes += this.#sums[at + 1]! * fraction;
      }
    }
  }

  /** The whole step in two numbers. */
  sum(): Cost {
    let flops = 0;
    let bytes = 0;
    for (let i = 0; i < this.#sums.length; i += 2) {
      flops += this.#sums[i]!;
      bytes += this.#sums[i + 1]!;
    }
    return { flops, bytes };
  }

  /** The whole step by class. */
  total(): CostByClass {
    const costs = zeroCosts();
    this.addTotal(costs);
    return costs;
  }
}
