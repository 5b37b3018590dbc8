/** Running cost of a lane or of the whole engine. */
import { type CostByClass, totalCost, zeroCosts } from '../ledger/cost.ts';
import type { ShareFractions, StepCosts } from '../ledger/step-costs.ts';
import type { Ledger, LedgerSnapshot } from './types.ts';

export class RunningLedger implements Ledger {
  readonly #classes: CostByClass = zeroCosts();
  #rows = 0;
  #sampled = 0;

  add(costs: StepCosts, part: ShareFractions, rows: number, sampled: number): void {
    costs.addPart(this.#classes, part);
    this.#rows += rows;
    this.#sampled += sampled;
  }

  snapshot(): LedgerSnapshot {
    const { flops, bytes } = totalCost(this.#classes);
    return { rows: this.#rows, sampled: this.#sampled, flops, bytes, classes: structuredClone(this.#classes) };
  }
}

/** A snapshot of nothing. */
export function emptySnapshot(): LedgerSnapshot {
  return { rows: 0, sampled: 0, flops: 0, bytes: 0, classes: zeroCosts() };
}
