/** Reads the prompt of a run, within its budget. */
import type { Lane, LedgerSnapshot, TokenIds } from '../engine/types.ts';
import type { Budget } from './budget.ts';
import { priced, priceOf, type RowCost, tooSmall } from './purse.ts';

/** Tokens of the first piece, read before anything is known of their cost, and of the last, which tells what comes next. */
const ENDS = 8;

/** What must still be paid behind the prompt: so many lanes, so many tokens each. */
export interface Need {
  readonly lanes: number;
  readonly tokens: number;
}

export interface PromptCost {
  readonly spent: LedgerSnapshot;
  /** Rows at its first and last tokens; none where the budget limits no cost. */
  readonly rows: readonly RowCost[];
}

/**
 * Appends the prompt to an empty lane. Under a budget of eFLOPs or bytes it is read in pieces, each of which surely fits:
 * a prompt that is too dear is refused before it has cost more than the budget.
 * @throws ReckonError `over-capacity` where the budget ends before the prompt and the least behind it do.
 */
export async function readPrompt(
  lane: Lane,
  prompt: TokenIds,
  budget: Budget,
  intensity: number,
  need: Need,
): Promise<PromptCost> {
  const limits = (['eflops', 'bytes'] as const).filter((name) => budget[name] !== undefined);
  if (limits.length === 0) {
    await lane.append(prompt);
    return { spent: lane.ledger.snapshot(), rows: [] };
  }
  let piece = Math.min(ENDS, prompt.length);
  let first: Measured | null = null;
  let latest: Measured | null = null;
  for (let read = 0; ; ) {
    const next = read + piece;
    latest = (await measured(lane, read + piece / 2, () => lane.append(prompt.slice(read, next)))) ?? latest;
    const left = prompt.length - next;
    // Decoding may cost more a row than reading many at once: at both ends, one is computed alone.
    if (read === 0 || left === 0) latest = (await probed(lane)) ?? latest;
    first ??= latest;
    read = next;
    if (left === 0) return { spent: lane.ledger.snapshot(), rows: comparable(first, latest) };
    const spent = lane.ledger.snapshot();
    piece = left > ENDS ? Math.min(2 * read, left - ENDS) : left;
    for (const name of limits) {
      const total = budget[name] as number;
      const of = priced(name, intensity);
      const price = priceOf(latest ? [latest] : [], of);
      const fits = price.rows(total - of(spent), read, 1);
      if (fits < Math.min(left, ENDS)) {
        const rest = price.cost(left, read, 1) + need.lanes * price.cost(need.tokens + 2, prompt.length, 1);
        throw tooSmall(name, total, of(spent) + rest, need.lanes);
      }
      piece = Math.min(piece, fits);
    }
  }
}

interface Measured extends RowCost {
  /** It was the only row of its step. */
  readonly alone: boolean;
}

/** Both, where they were measured alike; else what is known of the end. */
function comparable(first: Measured | null, latest: Measured | null): RowCost[] {
  if (!first || !latest) return [];
  return first.alone === latest.alone ? [first, latest] : [latest];
}

/** The cost of a row while `work` ran; null where no row was computed. */
async function measured(lane: Lane, length: number, work: () => Promise<unknown>): Promise<Measured | null> {
  const before = lane.ledger.snapshot();
  await work();
  const after = lane.ledger.snapshot();
  const rows = after.rows - before.rows;
  if (rows <= 0) return null;
  const perRow = (name: 'flops' | 'bytes') => (after[name] - before[name]) / rows;
  return { flops: perRow('flops'), bytes: perRow('bytes'), length, alone: rows === 1 };
}

/** The cost of the lane's last row, computed alone, as it is before the first draw. */
function probed(lane: Lane): Promise<Measured | null> {
  const last = lane.tokens[lane.length - 1] as number;
  return measured(lane, lane.length, () => lane.choose([last]));
}
