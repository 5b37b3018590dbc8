/** Reads the prompt of a run within its budget, and finds out what the run's steps cost. */
import type { Lane } from '../engine/types.ts';
import type { Budget } from './budget.ts';
import { largest, Price } from './price.ts';
import { type Amounts, counted, type StepCost, tooSmall } from './purse.ts';
import type { StrategyContext } from './types.ts';
import { sumSnapshots } from './usage.ts';

/** Tokens of the first piece, read before anything is known of their cost, and of the last, which tells what comes next. */
const ENDS = 8;
const NOTHING: Amounts = { flops: 0, bytes: 0 };

/** What must still be paid behind the prompt: so many lanes, so many tokens each. */
export interface Need {
  readonly lanes: number;
  readonly tokens: number;
}

/** A row's cost around a length. */
export interface RowCost extends Amounts {
  readonly length: number;
}

/** The limits of a budget that are of cost. */
function costLimits(budget: Budget, intensity: number) {
  return (['eflops', 'bytes'] as const).flatMap((name) => {
    const total = budget[name];
    return total === undefined ? [] : [{ name, total, of: counted(name, intensity) }];
  });
}

/**
 * Appends the prompt to an empty lane. Under a budget of eFLOPs or bytes it is read in pieces, each of which surely fits:
 * a prompt that is too dear is refused before it has cost more than the budget.
 * @returns the cost of a row at its end, alone in its step; null where no cost is limited.
 * @throws ReckonError `over-capacity` where the budget ends before the prompt and the least behind it do.
 */
export async function readPrompt(
  lane: Lane,
  context: StrategyContext,
  intensity: number,
  need: Need,
): Promise<RowCost | null> {
  const { prompt, budget = {} } = context;
  const limits = costLimits(budget, intensity);
  if (limits.length === 0) {
    await lane.append(prompt);
    return null;
  }
  let row: RowCost = { ...NOTHING, length: 1 };
  let piece = Math.min(ENDS, prompt.length);
  for (let read = 0; ; ) {
    const next = read + piece;
    row = (await measured([lane], (read + next) / 2, () => lane.append(prompt.slice(read, next)))) ?? row;
    read = next;
    const left = prompt.length - read;
    if (left === 0) break;
    piece = left > ENDS ? Math.min(2 * read, left - ENDS) : left;
    const spent = lane.ledger.snapshot();
    for (const { name, total, of } of limits) {
      const price = new Price({ perRow: of(row), length: row.length });
      const fits = largest(piece, (rows) => of(spent) + price.cost(rows, read) <= total);
      if (fits < Math.min(piece, ENDS)) {
        const rest = price.cost(left, read) + needed(need, price, prompt.length);
        throw tooSmall(name, total, of(spent) + rest, need.lanes);
      }
      piece = Math.min(piece, fits);
    }
  }
  // Decoding may cost more a row than reading many at once.
  const alone = await probed([lane]);
  return alone ?? row;
}

/**
 * What a step costs in common and what each row adds, from one row alone and one of every lane at once.
 * @param alone from {@link readPrompt}, of the same prompt.
 * @throws ReckonError `over-capacity` where the budget has no room to find out.
 */
export async function stepCost(
  lanes: readonly Lane[],
  slots: number,
  alone: RowCost | null,
  spent: Amounts,
  { budget = {} }: StrategyContext,
  intensity: number,
  need: Need,
): Promise<StepCost> {
  if (!alone) return { shared: NOTHING, own: NOTHING, length: 1 };
  const { length } = alone;
  const together = Math.min(lanes.length, slots);
  if (together === 1) return { shared: NOTHING, own: alone, length };
  for (const { name, total, of } of costLimits(budget, intensity)) {
    const price = new Price({ perRow: of(alone), length });
    if (of(spent) + lanes.length * of(alone) <= total) continue;
    throw tooSmall(name, total, of(spent) + needed(need, price, (lanes[0] as Lane).length), need.lanes);
  }
  const one = await probed(lanes);
  // An engine that computes nothing again here shares nothing that could be told apart.
  if (!one) return { shared: NOTHING, own: alone, length };
  // alone = shared + own and one = shared / together + own.
  const shared = (name: keyof Amounts) => (Math.max(0, alone[name] - one[name]) * together) / (together - 1);
  const own = (name: keyof Amounts) => Math.max(0, one[name] - shared(name) / together);
  const both = (part: (name: keyof Amounts) => number) => ({ flops: part('flops'), bytes: part('bytes') });
  return { shared: both(shared), own: both(own), length };
}

/** The least behind a prompt: what the purse will ask for, and the rows that tell what steps cost. */
function needed({ lanes, tokens }: Need, price: Price, length: number): number {
  return lanes * price.cost(tokens + 2, length) + (lanes + 1) * price.cost(1, length);
}

/** The cost of a row while `work` ran on these lanes; null where no row was computed. */
async function measured(lanes: readonly Lane[], length: number, work: () => Promise<unknown>): Promise<RowCost | null> {
  const total = () => sumSnapshots(lanes.map((lane) => lane.ledger.snapshot()));
  const before = total();
  await work();
  const after = total();
  const rows = after.rows - before.rows;
  if (rows <= 0) return null;
  const perRow = (name: keyof Amounts) => (after[name] - before[name]) / rows;
  return { flops: perRow('flops'), bytes: perRow('bytes'), length };
}

/** The cost of the last row of these lanes, all in one step, as it is before the first draw. */
function probed(lanes: readonly Lane[]): Promise<RowCost | null> {
  const [first] = lanes as readonly [Lane];
  const last = first.tokens[first.length - 1] as number;
  return measured(lanes, first.length, () => Promise.all(lanes.map((lane) => lane.choose([last]))));
}
