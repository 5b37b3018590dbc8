/**
 * What a dispatch costs, and sums of it. A kernel declares its cost where it is dispatched; the ledger is the sum of
 * what ran, by construction. Nothing here knows about the GPU, models or papers.
 */

/** Where a cost belongs: weights × activations; queries × keys/values; page selection; cache writes; the rest. */
export const COST_CLASSES = ['linear', 'attention', 'search', 'kvWrite', 'other'] as const;
export type CostClass = (typeof COST_CLASSES)[number];

/**
 * One cost: floating point operations (a multiply-add is two) and bytes between GPU memory and the compute units.
 * Bytes are the traffic that the kernel's algorithm compels: every buffer element it touches once per dispatch
 * (once per pass where it deliberately passes again); re-reads that caches serve are not counted.
 */
export interface Cost {
  flops: number;
  bytes: number;
}

/** Cost by class. Plain data, serialisable. */
export type CostByClass = Record<CostClass, Cost>;

/** All-zero costs. */
export function zeroCosts(): CostByClass {
  return {
    linear: { flops: 0, bytes: 0 },
    attention: { flops: 0, bytes: 0 },
    search: { flops: 0, bytes: 0 },
    kvWrite: { flops: 0, bytes: 0 },
    other: { flops: 0, bytes: 0 },
  };
}

/** Sum over the classes. */
export function totalCost(costs: CostByClass): Cost {
  let flops = 0;
  let bytes = 0;
  for (const name of COST_CLASSES) {
    flops += costs[name].flops;
    bytes += costs[name].bytes;
  }
  return { flops, bytes };
}

/** `into += from · factor`, class by class. */
export function addCosts(into: CostByClass, from: CostByClass, factor = 1): void {
  for (const name of COST_CLASSES) {
    into[name].flops += from[name].flops * factor;
    into[name].bytes += from[name].bytes * factor;
  }
}
