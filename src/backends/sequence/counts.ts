/** The ledger of a backend that does not tell what its work costs: rows and draws are counted, all else is not a number. */
import type { Ledger, LedgerSnapshot } from '../../engine/types.ts';
import { COST_CLASSES, type CostByClass } from '../../ledger/cost.ts';

const UNKNOWN = { flops: Number.NaN, bytes: Number.NaN } as const;

export class CountLedger implements Ledger {
  readonly #above: CountLedger | null;
  #rows = 0;
  #sampled = 0;

  /** @param above counts along. */
  constructor(above: CountLedger | null = null) {
    this.#above = above;
  }

  readonly addRows = (rows: number): void => {
    this.#rows += rows;
    this.#above?.addRows(rows);
  };

  addDraw(): void {
    this.#sampled++;
    this.#above?.addDraw();
  }

  snapshot(): LedgerSnapshot {
    const classes = Object.fromEntries(COST_CLASSES.map((name) => [name, { ...UNKNOWN }])) as CostByClass;
    return { rows: this.#rows, sampled: this.#sampled, ...UNKNOWN, classes };
  }
}
