import type { LedgerSnapshot } from '../engine/types.ts';
import { addCosts, type Cost, zeroCosts } from '../ledger/cost.ts';

/** The sum of several ledgers. */
export function sumSnapshots(snapshots: readonly LedgerSnapshot[]): LedgerSnapshot {
  const classes = zeroCosts();
  const denseAttention = { flops: 0, bytes: 0 };
  let told = true;
  let [rows, sampled, flops, bytes] = [0, 0, 0, 0];
  for (const snapshot of snapshots) {
    rows += snapshot.rows;
    sampled += snapshot.sampled;
    flops += snapshot.flops;
    bytes += snapshot.bytes;
    addCosts(classes, snapshot.classes);
    told &&= snapshot.denseAttention !== undefined;
    denseAttention.flops += snapshot.denseAttention?.flops ?? 0;
    denseAttention.bytes += snapshot.denseAttention?.bytes ?? 0;
  }
  return { rows, sampled, flops, bytes, classes, ...(told && snapshots.length > 0 ? { denseAttention } : {}) };
}

/** What a ledger's sum would be had every token attended to all before it; null where all did, or nobody tells. */
export function denseCost({ flops, bytes, classes, denseAttention }: LedgerSnapshot): Cost | null {
  const { attention, search } = classes;
  if (!denseAttention || search.flops + denseAttention.flops - attention.flops <= 1e-6 * denseAttention.flops)
    return null;
  return {
    flops: flops - attention.flops - search.flops + denseAttention.flops,
    bytes: bytes - attention.bytes - search.bytes + denseAttention.bytes,
  };
}
