/** A limit on what a run may spend. Nearly spent, the run is told to conclude: lanes close their thinking and answer. */
import { checkNumber } from '../errors.ts';
import { checkOptions } from './check.ts';
import type { ReasoningEvent } from './types.ts';

/** Any of these; the first that is nearly spent counts. What the lanes need to answer may pass it by a little. */
export interface Budget {
  /** Tokens generated, over all lanes. */
  tokens?: number;
  /** Wall time. */
  seconds?: number;
  /** Floating point operations, over all lanes. */
  flops?: number;
  /** Bytes moved between GPU memory and its compute units, over all lanes. */
  bytes?: number;
}

/** The part after which lanes are told: the rest is for the answers. */
const CONCLUDE_AT = 0.9;
const NAMES = ['tokens', 'seconds', 'flops', 'bytes'] as const;

/** @throws ReckonError `bad-option` for an unknown name or a limit that is not above 0. */
export function checkBudget(raw: unknown): Budget {
  const given = checkOptions('budget', raw, NAMES);
  const budget: Budget = {};
  for (const name of NAMES) {
    const value = given[name];
    if (value !== undefined) budget[name] = checkNumber(`budget.${name}`, value, { min: 0, exclusiveMin: true });
  }
  return budget;
}

/** Reads a run's events and says when to conclude. */
export class BudgetWatch {
  readonly #budget: Budget;
  readonly #controller = new AbortController();
  #tokens = 0;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** Fires once, when the budget is nearly spent. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  observe(event: ReasoningEvent): void {
    if (event.type === 'token') this.#spent('tokens', ++this.#tokens);
    if (event.type !== 'cost') return;
    this.#spent('seconds', event.seconds);
    this.#spent('flops', event.total.flops);
    this.#spent('bytes', event.total.bytes);
  }

  #spent(name: keyof Budget, amount: number): void {
    const limit = this.#budget[name];
    if (limit !== undefined && amount >= CONCLUDE_AT * limit) this.#controller.abort();
  }
}
