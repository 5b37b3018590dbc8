/** What a person allows a run to spend, and what it has spent. */
import type { LedgerSnapshot } from '../engine/types.ts';
import { checkNumber } from '../errors.ts';
import { checkOptions } from './options.ts';

/** Any of these; the first that is nearly spent makes the run conclude. */
export interface Budget {
  /** Tokens generated, over all lanes: sampled, forced, taken back and probed alike; the prompt is free. */
  tokens?: number;
  /** Wall time since the start. Lanes conclude as it nears; an answer begun is finished. */
  seconds?: number;
  /** FLOPs + intensity · bytes, prompt included, over all lanes. */
  eflops?: number;
  /** Bytes moved between GPU memory and its compute units, prompt included, over all lanes. */
  bytes?: number;
}

/** What a run has spent, in the budget's units. */
export interface Spending {
  tokens: number;
  seconds: number;
  eflops: number;
  bytes: number;
}

export const BUDGET_NAMES = ['tokens', 'seconds', 'eflops', 'bytes'] as const;

/** FLOPs per byte of the Kinetics presets: 562.5 (arXiv 2506.05333). */
export const PAPER_INTENSITY = 562.5;

/** @throws ReckonError `bad-option` for an unknown name or a limit that is not above 0. */
export function checkBudget(raw: unknown): Budget {
  const given = checkOptions('budget', raw, BUDGET_NAMES);
  const budget: Budget = {};
  for (const name of BUDGET_NAMES) {
    const value = given[name];
    if (value !== undefined) budget[name] = checkNumber(`budget.${name}`, value, { min: 0, exclusiveMin: true });
  }
  return budget;
}

/** FLOPs + intensity · bytes. */
export function eflopsOf({ flops, bytes }: Pick<LedgerSnapshot, 'flops' | 'bytes'>, intensity: number): number {
  return flops + intensity * bytes;
}

/** The largest part that any limit has been used of; 0 without limits. */
export function fractionSpent(spent: Spending, budget: Budget): number {
  return BUDGET_NAMES.reduce(
    (most, name) => Math.max(most, spent[name] / (budget[name] ?? Number.POSITIVE_INFINITY)),
    0,
  );
}
