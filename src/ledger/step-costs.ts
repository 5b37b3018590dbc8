/**
 * The cost of one engine step while it is recorded, and its split over the lanes it served. Flat arrays: a step adds some
 * hundred entries and must not allocate.
 */
import { COST_CLASSES, type Cost, type CostByClass, type CostClass, zeroCosts } from './cost.ts';

/**
 * How a dispatch's cost is shared out over lanes:
 * - `rows`: by the rows a lane has in the step (weights are read once for all of them, so each row pays an equal part);
 * - `attended`: by the KV tokens its rows attend to;
 * - `logits`: by the rows it wants logits of.
 */
export const SHARES = ['rows', 'attended', 'logits'] as const;
export type Share = (typeof SHARES)[number];

/** A lane's part of each share, as fractions of the step's whole. */
export type ShareFractions = Record<Share, number>;

const CLASSES = COST_CLASSES.length;
const index = (share: number, kind: number) => (share * CLASSES + kind) * 2;
const SHARE_INDEX: Record<Share, number> = { rows: 0, attended: 1, logits: 2 };
const CLASS_INDEX = Object.fromEntries(COST_CLASSES.map((name, i) => [name, i])) as Record<CostClass, number>;

export class StepCosts {
  readonly #sums = new Float64Array(SHARES.length * CLASSES * 2);

  reset(): void {
    this.#sums.fill(0);
  }

  /** Adds one dispatch. */
  add(share: Share, kind: CostClass, flops: number, bytes: number): void {
    const at = index(SHARE_INDEX[share], CLASS_INDEX[kind]);
    this.#sums[at]! += flops;
    this.#sums[at + 1]! += bytes;
  }

  /** Adds this step's whole cost into `into`. */
  addTotal(into: CostByClass): void {
    this.addPart(into, { rows: 1, attended: 1, logits: 1 });
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
