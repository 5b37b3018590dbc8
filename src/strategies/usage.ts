import type { LedgerSnapshot } from '../engine/types.ts';
import { addCosts, zeroCosts } from '../ledger/cost.ts';

/** The sum of several ledgers. */
export function sumSnapshots(snapshots: readonly LedgerSnapshot[]): LedgerSnapshot {
  const classes = zeroCosts();
  let [rows, sampled, flops, bytes] = [0, 0, 0, 0];
  for (const snapshot of snapshots) {
    rows += snapshot.rows;
    sampled += snapshot.sampled;
    flops += snapshot.flops;
    bytes += snapshot.bytes;
    addCosts(classes, snapshot.classes);
  }
  return { rows, sampled, flops, bytes, classes };
}
