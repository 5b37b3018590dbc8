/** Reads the prompt of a run, within its budget. */
import type { Lane, LedgerSnapshot, TokenIds } from '../engine/types.ts';
import { type Budget, eflopsOf } from './budget.ts';
import { Price } from './price.ts';
import { tooSmall } from './purse.ts';

/** Tokens read before anything is known of their cost. */
const FIRST = 8;

/** What a row behind the prompt may cost when it is computed alone. */
export interface RowCost {
  flops: number;
  bytes: number;
}

/** `row` is all zeros where the budget limits no cost, which then need not be known. */
export interface PromptCost {
  readonly spent: LedgerSnapshot;
  readonly row: RowCost;
}

/**
 * Appends the prompt to an empty lane. Under a budget of eFLOPs or bytes it is read in pieces, each of which surely fits:
 * a prompt that is too dear is refused before it has cost more than the budget.
 * @throws ReckonError `over-capacity` where the budget ends before the prompt does.
 */
export async function readPrompt(lane: Lane, prompt: TokenIds, budget: Budget, intensity: number): Promise<PromptCost> {
  const row: RowCost = { flops: 0, bytes: 0 };
  if (budget.eflops === undefined && budget.bytes === undefined) {
    await lane.append(prompt);
    return { spent: lane.ledger.snapshot(), row };
  }
  const limits = [
    { name: 'eflops', total: budget.eflops, of: (cost: RowCost) => eflopsOf(cost, intensity) },
    { name: 'bytes', total: budget.bytes, of: (cost: RowCost) => cost.bytes },
  ] as const;
  let piece = Math.min(FIRST, prompt.length);
  for (let read = 0; read < prompt.length; ) {
    const learnt = await measured(lane, () => lane.append(prompt.slice(read, read + piece)));
    // A row's cost grows at most in proportion to the length.
    const grown = prompt.length / (read + piece / 2);
    if (learnt) Object.assign(row, { flops: learnt.flops * grown, bytes: learnt.bytes * grown });
    read += piece;
    const left = prompt.length - read;
    if (left === 0) break;
    const spent = lane.ledger.snapshot();
    piece = Math.min(2 * read, left);
    for (const { name, total, of } of limits) {
      if (total === undefined) continue;
      const price = new Price(of(row), prompt.length);
      piece = Math.min(piece, price.rows(total - of(spent), read, 1));
      if (piece < 1) throw tooSmall(name, total, Math.ceil(of(spent) + price.cost(left, read, 1)), 'the prompt alone');
    }
  }
  // Decoding may cost more a row than reading many at once: one is computed alone.
  const last = prompt[prompt.length - 1] as number;
  const alone = await measured(lane, () => lane.choose([last]));
  if (alone) Object.assign(row, { flops: Math.max(row.flops, alone.flops), bytes: Math.max(row.bytes, alone.bytes) });
  return { spent: lane.ledger.snapshot(), row };
}

/** The cost of a row while `work` ran; null where no row was computed. */
async function measured(lane: Lane, work: () => Promise<unknown>): Promise<RowCost | null> {
  const before = lane.ledger.snapshot();
  await work();
  const after = lane.ledger.snapshot();
  const rows = after.rows - before.rows;
  if (rows === 0) return null;
  return { flops: (after.flops - before.flops) / rows, bytes: (after.bytes - before.bytes) / rows };
}
