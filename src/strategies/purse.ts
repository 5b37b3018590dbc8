/**
 * A run's budget, split over its lanes. Nobody spends what was not granted: a lane asks before each stretch of tokens and
 * gets at most its fair share of what is left, priced at the most it may cost. Every lane that still thinks has a reserve
 * for closing its thinking and answering; what lanes that ended leave is shared by the others.
 */
import type { LedgerSnapshot } from '../engine/types.ts';
import { ReckonError } from '../errors.ts';
import { type Budget, eflopsOf } from './budget.ts';
import { largest, Price } from './price.ts';

/** Shorter answers than this are not worth a run; a budget that cannot pay them is refused. */
const LEAST_ANSWER = 16;
/** Grants above this many tokens are given by halves, so that the rest can still go to others. */
const WHOLE_GRANT = 8;
/** Steps that a lane may fall behind the others where all of them pause: what an engine has under way, and its start. */
const LAG = 6;
/** More tokens than any lane will have. */
const FAR = 2 ** 30;
/** Margin that makes the least told enough in spite of rounding. */
const ROUNDING = 1e-9;

/** One lane's access to the purse. */
export interface Share {
  /**
   * Asks for up to `wanted` tokens. 0: the lane is to conclude (thinking) or to end (answering). One grant at a time.
   * Asking for the answer draws on the lane's reserve.
   */
  grant(wanted: number, phase: 'thinking' | 'answer'): number;
  /** What was granted is over. */
  settle(): void;
  /** Tokens that came into being, sampled or forced, in the lane or on the side. */
  count(tokens: number): void;
  /** Whether the time left is just enough to close and answer. */
  late(): boolean;
  /** The lane is over; what it leaves is the others'. */
  end(): void;
}

/** A share without limits. */
export const BOUNDLESS: Share = { grant: (wanted) => wanted, settle() {}, count() {}, late: () => false, end() {} };

/** What a step costs before anything was decoded: `shared` once a step, `own` for each row around `length`. */
export interface StepCost {
  readonly shared: Amounts;
  readonly own: Amounts;
  readonly length: number;
}

export interface Amounts {
  readonly flops: number;
  readonly bytes: number;
}

export interface PurseOptions {
  readonly budget: Budget;
  readonly intensity: number;
  /** Seconds since the run began. */
  readonly seconds: () => number;
  readonly lanes: number;
  /** Lanes that fit into one step. */
  readonly slots: number;
  /** Tokens that a forced close takes; 0 where the model does not think. */
  readonly close: number;
  readonly answer: number;
  readonly promptTokens: number;
  /** What the run has cost before its lanes. */
  readonly prompt: Amounts;
  readonly step: StepCost;
  /** What lane `index` has cost, and how many tokens it holds. */
  readonly lane: (index: number) => { readonly cost: LedgerSnapshot; readonly length: number };
}

interface LaneState {
  phase: 'thinking' | 'answer' | 'ended';
  tokens: number;
  /** `tokens` when it was last looked at. */
  done: number;
  granted: number;
  /** Tokens held when the grant was given. */
  length: number;
  /** Tokens kept for close and answer. */
  reserve: number;
  /** Seconds when it was first granted anything. */
  began: number | null;
}

/** One limit, and what it is counted in. */
interface Limit {
  readonly name: keyof Budget;
  readonly total: number;
  /** Spent before the lanes. */
  readonly common: number;
  /** Spent by each lane, when it was last looked at. */
  readonly spent: number[];
  readonly amount: (tokens: number, cost: Amounts) => number;
  /** Once a step, however many lanes are in it. */
  readonly shared: number;
  /** Null where a token costs one. */
  readonly prices: readonly Price[] | null;
}

/** What is counted of a cost, by the name of its limit. */
export function counted(name: 'eflops' | 'bytes', intensity: number): (cost: Amounts) => number {
  return (cost) => (name === 'bytes' ? cost.bytes : eflopsOf(cost, intensity));
}

/** Tokens without which no lane can be run: a word of thinking, the close, and a short answer. */
export function leastTokens(close: number, answer: number): number {
  return (close > 0 ? close + 1 : 0) + Math.min(answer, LEAST_ANSWER);
}

export class Purse {
  readonly #options: PurseOptions;
  readonly #lanes: LaneState[];
  readonly #limits: Limit[];
  #state: 'running' | 'concluding' | 'spent' = 'running';
  /** Tokens at which lanes pause and ask again. */
  #pause = 0;

  /** @throws ReckonError `over-capacity` where the lanes could not even close and answer; it tells the least that would do. */
  constructor(options: PurseOptions) {
    this.#options = options;
    const { promptTokens: length, lanes } = options;
    const blank: LaneState = { phase: 'thinking', tokens: 0, done: 0, granted: 0, length, reserve: 0, began: null };
    this.#lanes = Array.from({ length: lanes }, () => ({ ...blank }));
    this.#limits = this.#limitsOf(options);
    const answer = this.#affordableAnswer();
    for (const lane of this.#lanes) lane.reserve = options.close + answer;
  }

  /** Tokens generated over all lanes. */
  get tokens(): number {
    return this.#lanes.reduce((sum, { tokens }) => sum + tokens, 0);
  }

  get state(): 'running' | 'concluding' | 'spent' {
    return this.#state;
  }

  share(index: number): Share {
    const lane = this.#lanes[index] as LaneState;
    return {
      grant: (wanted, phase) => this.#grant(index, wanted, phase),
      settle: () => this.#settle(index),
      count: (tokens) => {
        lane.tokens += tokens;
      },
      late: () => this.#late(lane),
      end: () => {
        this.#settle(index);
        Object.assign(lane, { phase: 'ended', reserve: 0 });
      },
    };
  }

  #limitsOf({ budget, intensity, prompt, lane, step }: PurseOptions): Limit[] {
    const limits: Limit[] = [];
    if (budget.tokens !== undefined) {
      const amount: Limit['amount'] = (tokens) => tokens;
      const spent = this.#lanes.map(() => 0);
      limits.push({ name: 'tokens', total: budget.tokens, common: 0, spent, amount, shared: 0, prices: null });
    }
    for (const name of ['eflops', 'bytes'] as const) {
      const total = budget[name];
      if (total === undefined) continue;
      const of = counted(name, intensity);
      limits.push({
        name,
        total,
        common: of(prompt),
        spent: this.#lanes.map((_, index) => of(lane(index).cost)),
        amount: (_, cost) => of(cost),
        shared: of(step.shared),
        prices: this.#lanes.map(() => new Price({ perRow: of(step.own), length: step.length })),
      });
    }
    return limits;
  }

  /** Tokens of answer to keep for each lane: all it may have, but not much more than half of its share. */
  #affordableAnswer(): number {
    const { close, answer } = this.#options;
    const least = leastTokens(close, answer);
    let kept = answer;
    for (const limit of this.#limits) {
      // Thinking and answer are granted apart.
      const needed = (tokens: number) => this.#forecast(limit, () => tokens + 1);
      if (needed(least) > limit.total) throw tooSmall(limit.name, limit.total, needed(least), this.#lanes.length);
      const most = close + 1 + 2 * answer;
      const share = largest(most, (tokens) => needed(tokens) <= limit.total);
      if (close > 0)
        kept = Math.min(kept, Math.max(Math.min(answer, LEAST_ANSWER), Math.floor((share - close - 1) / 2)));
      else kept = Math.min(kept, share);
    }
    return kept;
  }

  /**
   * The most that the run will have spent when lane j has had `more(j)` tokens more. Lanes in a step share its cost: a
   * lane alone at the end pays all of it, so steps are counted, not rows.
   */
  #forecast(limit: Limit, more: (lane: LaneState, index: number) => number): number {
    let sum = limit.common;
    let [longest, all, working] = [0, 0, 0];
    for (const [index, lane] of this.#lanes.entries()) {
      sum += limit.spent[index] as number;
      const tokens = lane.phase === 'ended' ? 0 : more(lane, index);
      if (tokens <= 0) continue;
      if (!limit.prices) {
        sum += tokens;
        continue;
      }
      // One row more: where a stretch begins behind tokens taken back, the last row is computed again.
      const rows = tokens + 1;
      sum += (limit.prices[index] as Price).cost(rows, lane.length);
      longest = Math.max(longest, rows);
      all += rows;
      working++;
    }
    const together = Math.max(longest + LAG * (working - 1), Math.ceil(all / this.#options.slots));
    return sum + limit.shared * Math.min(all, together);
  }

  #settle(index: number): void {
    const lane = this.#lanes[index] as LaneState;
    if (lane.phase === 'ended') return;
    const { cost, length } = this.#options.lane(index);
    for (const limit of this.#limits) {
      const amount = limit.amount(lane.tokens, cost);
      limit.prices?.[index]?.end(amount, cost, length);
      limit.spent[index] = amount;
    }
    Object.assign(lane, { granted: 0, length, done: lane.tokens });
  }

  #grant(index: number, wanted: number, phase: 'thinking' | 'answer'): number {
    this.#settle(index);
    const lane = this.#lanes[index] as LaneState;
    lane.began ??= this.#options.seconds();
    const kept = lane.phase === phase ? lane.reserve : Math.max(0, lane.reserve - this.#options.close);
    if (phase === 'answer') Object.assign(lane, { phase, reserve: 0 });
    const tokens = phase === 'thinking' ? this.#toThink(index, lane, wanted) : this.#toAnswer(index, wanted, kept);
    if (tokens < 1) {
      this.#state = phase === 'answer' ? 'spent' : this.#state === 'running' ? 'concluding' : this.#state;
      return 0;
    }
    lane.granted = tokens;
    if (phase === 'answer') lane.reserve = Math.max(0, kept - tokens);
    const { cost, length } = this.#options.lane(index);
    const together = Math.min(this.#options.slots, this.#lanes.filter(({ phase: p }) => p !== 'ended').length);
    for (const { prices, amount, shared } of this.#limits) {
      prices?.[index]?.begin(amount(lane.tokens, cost), cost, length, shared / together);
    }
    return tokens;
  }

  /** Lanes pause at the same number of tokens, so that they stay together and go on sharing the cost of steps. */
  #toThink(index: number, lane: LaneState, wanted: number): number {
    if (this.#late(lane)) return 0;
    if (lane.done >= this.#pause) {
      const fair = this.#fair(index, FAR);
      this.#pause = lane.done + (fair > WHOLE_GRANT ? Math.ceil(fair / 2) : fair);
    }
    return this.#safe(index, Math.min(wanted, this.#pause - lane.done));
  }

  #toAnswer(index: number, wanted: number, kept: number): number {
    const safe = this.#safe(index, wanted);
    const tokens = Math.min(safe, Math.max(kept, this.#fair(index, safe)));
    return tokens < wanted && tokens > WHOLE_GRANT ? Math.ceil(tokens / 2) : tokens;
  }

  #within(more: (lane: LaneState, index: number) => number): boolean {
    return this.#limits.every((limit) => this.#forecast(limit, more) <= limit.total);
  }

  /** Tokens that the lane may have, up to `most`, without touching what others were granted or have in reserve. */
  #safe(index: number, most: number): number {
    if (most < 1) return 0;
    return largest(most, (tokens) => this.#within((lane, i) => (i === index ? tokens : lane.granted) + lane.reserve));
  }

  /** Tokens that the lane may have, up to `most`, if all lanes that are not over were to have as many in all. */
  #fair(index: number, most: number): number {
    if (most < 1) return 0;
    const { done } = this.#lanes[index] as LaneState;
    const same = (lane: LaneState, tokens: number) =>
      lane.phase === 'answer' ? lane.granted : Math.max(lane.granted, done + tokens - lane.done);
    return largest(most, (tokens) =>
      this.#within((lane, i) => (i === index ? tokens : same(lane, tokens)) + lane.reserve),
    );
  }

  /** At the lane's pace so far. */
  #late({ began, tokens, reserve }: LaneState): boolean {
    const { seconds: limit } = this.#options.budget;
    if (limit === undefined) return false;
    const now = this.#options.seconds();
    const pace = tokens > 0 ? (now - (began ?? now)) / tokens : 0;
    const late = now + reserve * pace >= limit;
    if (late && this.#state === 'running') this.#state = 'concluding';
    return late;
  }
}

/** The refusal of a budget that cannot pay for a run of this kind, with the least that would do. */
export function tooSmall(name: keyof Budget, total: number, needed: number, lanes: number): ReckonError {
  const least = Math.ceil(needed * (1 + ROUNDING));
  return new ReckonError(
    'over-capacity',
    `A budget of ${total} ${name} is too small for ${lanes} lane${lanes === 1 ? '' : 's'}: prompt, a word of thinking and a short answer may need ${least}.`,
    {
      hint: `Allow at least ${least} ${name}, use fewer lanes, or allow a shorter answer.`,
      details: { name, limit: total, least },
    },
  );
}
