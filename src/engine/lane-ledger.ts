/** Running cost of a lane or of the whole engine. */
import { type CostByClass, totalCost, zeroCosts } from '../ledger/cost.ts';
import type { LaneFractions, StepCosts } from '../ledger/step-costs.ts';
import type { Ledger, LedgerSnapshot } from './types.ts';

export class RunningLedger implements Ledger {
  readonly #classes: CostByClass = zeroCosts();
  readonly #denseAttention = { flops: 0, bytes: 0 };
  #rows = 0;
  #sampled = 0;

  add(costs: StepCosts, part: LaneFractions, rows: number, sampled: number): void {
    costs.addPart(this.#classes, part);
    this.#denseAttention.flops += costs.denseAttention.flops * part.denseAttended;
    this.#denseAttention.bytes += costs.denseAttention.bytes * part.denseAttended;
    this.#rows += rows;
    this.#sampled += sampled;
  }

  snapshot(): LedgerSnapshot {
    const { flops, bytes } = totalCost(this.#classes);
    return {
      rows: this.#rows,
      sampled: this.#sampled,
      flops,
      bytes,
      classes: structuredClone(this.#classes),
      denseAttention: { ...this.#denseAttention },
    };
  }
}

/** A snapshot of nothing. */
export function emptySnapshot(): LedgerSnapshot {
  return { rows: 0, sampled: 0, flops: 0, bytes: 0, classes: zeroCosts() };
}
