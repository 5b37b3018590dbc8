/**
 * A run's budget, split over its lanes. Nobody spends what was not granted: a lane asks before each stretch of tokens and
 * gets at most its fair share of what is left, priced at the most it may cost. Every lane that still thinks has a reserve
 * for closing its thinking and answering; what lanes that ended leave is shared by the others.
 */
import type { LedgerSnapshot } from '../engine/types.ts';
import { ReckonError } from '../errors.ts';
import { type Budget, eflopsOf } from './budget.ts';
import { Price, type RowSample } from './price.ts';

/** Shorter answers than this are not worth a run; a budget that cannot pay them is refused. */
const LEAST_ANSWER = 16;
/** Grants above this many tokens are given by halves, so that the rest can still go to others. */
const WHOLE_GRANT = 16;
/** A row that a lane computes again where a stretch begins behind tokens taken back. */
const EXTRA_ROWS = 1;

/** Margin that makes the least told enough in spite of rounding. */
const ROUNDING = 1e-9;

/** One lane's access to the purse. */
export interface Share {
  /**
   * Asks for up to `wanted` tokens. 0: the lane is to conclude (thinking) or to end (answering). One grant at a time.
   * Asking for the answer gives up the lane's reserve.
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

/** What a row behind `length` tokens cost when it was computed alone. */
export interface RowCost {
  readonly length: number;
  readonly flops: number;
  readonly bytes: number;
}

/** What is measured of a cost, by the name of its limit. */
export function priced(name: 'eflops' | 'bytes', intensity: number) {
  return (cost: { readonly flops: number; readonly bytes: number }) =>
    name === 'bytes' ? cost.bytes : eflopsOf(cost, intensity);
}

/** The price of rows that cost this. */
export function priceOf(rows: readonly RowCost[], amount: (row: RowCost) => number): Price {
  const [first, ...others] = rows.map((row): RowSample => ({ perRow: amount(row), length: row.length }));
  return new Price([first ?? { perRow: 0, length: 1 }, ...others]);
}

export interface PurseOptions {
  readonly budget: Budget;
  readonly intensity: number;
  /** Seconds since the run began. */
  readonly seconds: () => number;
  readonly lanes: number;
  /** Tokens that a forced close takes; 0 where the model does not think. */
  readonly close: number;
  readonly answer: number;
  /** Tokens of the prompt, and what reading it cost. */
  readonly promptTokens: number;
  readonly prompt: LedgerSnapshot;
  /** Cost of rows in the prompt, the last one last: what the run has to go by before anything was decoded. */
  readonly rows: readonly RowCost[];
  /** What lane `index` has cost, and how many tokens it holds. */
  readonly lane: (index: number) => { readonly cost: LedgerSnapshot; readonly length: number };
}

interface LaneState {
  phase: 'thinking' | 'answer' | 'ended';
  tokens: number;
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
  readonly amount: (tokens: number, cost: LedgerSnapshot) => number;
  /** Null where a token costs one. */
  readonly prices: readonly Price[] | null;
}

/** Tokens without which no lane can be run: a word of thinking, the close, and a short answer. */
export function leastTokens(close: number, answer: number): number {
  return (close > 0 ? close + 1 : 0) + Math.min(answer, LEAST_ANSWER);
}

export class Purse {
  readonly #options: PurseOptions;
  readonly #lanes: LaneState[];
  readonly #limits: Limit[] = [];
  #state: 'running' | 'concluding' | 'spent' = 'running';

  /** @throws ReckonError `over-capacity` where the lanes could not even close and answer; it tells the least that would do. */
  constructor(options: PurseOptions) {
    this.#options = options;
    const { budget, intensity, lanes, prompt, promptTokens, rows } = options;
    const blank: LaneState = {
      phase: 'thinking',
      tokens: 0,
      granted: 0,
      length: promptTokens,
      reserve: 0,
      began: null,
    };
    this.#lanes = Array.from({ length: lanes }, () => ({ ...blank }));
    const spent = () => this.#lanes.map(() => 0);
    if (budget.tokens !== undefined) {
      const amount: Limit['amount'] = (tokens) => tokens;
      this.#limits.push({ name: 'tokens', total: budget.tokens, common: 0, spent: spent(), amount, prices: null });
    }
    for (const name of ['eflops', 'bytes'] as const) {
      const total = budget[name];
      if (total === undefined) continue;
      const of = priced(name, intensity);
      const prices = this.#lanes.map(() => priceOf(rows, of));
      this.#limits.push({ name, total, common: of(prompt), spent: spent(), amount: (_, cost) => of(cost), prices });
    }
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
    return {
      grant: (wanted, phase) => this.#grant(index, wanted, phase),
      settle: () => this.#settle(index),
      count: (tokens) => {
        (this.#lanes[index] as LaneState).tokens += tokens;
      },
      late: () => this.#late(this.#lanes[index] as LaneState),
      end: () => {
        this.#settle(index);
        Object.assign(this.#lanes[index] as LaneState, { phase: 'ended', reserve: 0 });
      },
    };
  }

  /** Tokens of answer to keep for each lane: all it may have, but not much more than half of its share. */
  #affordableAnswer(): number {
    const { lanes, close, answer, promptTokens } = this.#options;
    const least = leastTokens(close, answer);
    let kept = answer;
    for (const limit of this.#limits) {
      // Thinking and answer are granted apart, each with its extra row.
      const apart = limit.prices ? EXTRA_ROWS : 0;
      const share = this.#rowsFor(limit, 0, (limit.total - limit.common) / lanes, promptTokens) - apart;
      if (share < least) this.#refuse(limit, least + apart);
      const free = close > 0 ? share - close - 1 : share;
      kept = Math.min(kept, close > 0 ? Math.max(Math.min(answer, LEAST_ANSWER), Math.floor(free / 2)) : free);
    }
    return kept;
  }

  #refuse({ name, total, common, prices }: Limit, rows: number): never {
    const { lanes, promptTokens } = this.#options;
    const each = prices?.[0] ? prices[0].cost(rows + EXTRA_ROWS, promptTokens, lanes) : rows;
    throw tooSmall(name, total, common + lanes * each, lanes);
  }

  #running(): number {
    return this.#lanes.filter(({ phase }) => phase !== 'ended').length;
  }

  /** The most that `rows` more tokens of a lane may cost, counted in this limit. */
  #costOf(limit: Limit, index: number, rows: number, length: number): number {
    if (rows === 0) return 0;
    return limit.prices ? (limit.prices[index] as Price).cost(rows + EXTRA_ROWS, length, this.#running()) : rows;
  }

  /** How many more tokens of a lane cost at most `amount`. */
  #rowsFor(limit: Limit, index: number, amount: number, length: number): number {
    if (!limit.prices) return Math.max(0, Math.floor(amount));
    return Math.max(0, (limit.prices[index] as Price).rows(amount, length, this.#running()) - EXTRA_ROWS);
  }

  #settle(index: number): void {
    const lane = this.#lanes[index] as LaneState;
    if (lane.phase === 'ended') return;
    const { cost, length } = this.#options.lane(index);
    for (const limit of this.#limits) {
      const amount = limit.amount(lane.tokens, cost);
      limit.prices?.[index]?.end(amount, cost.sampled, length);
      limit.spent[index] = amount;
    }
    lane.granted = 0;
    lane.length = length;
  }

  #grant(index: number, wanted: number, phase: 'thinking' | 'answer'): number {
    this.#settle(index);
    const lane = this.#lanes[index] as LaneState;
    lane.began ??= this.#options.seconds();
    const kept = phase === 'answer' ? lane.reserve - this.#options.close : 0;
    if (phase === 'answer') Object.assign(lane, { phase, reserve: 0 });
    let tokens = phase === 'thinking' && this.#late(lane) ? 0 : wanted;
    for (const limit of this.#limits) tokens = Math.min(tokens, this.#allowance(limit, index, kept));
    if (phase === 'thinking' && tokens < wanted && tokens > WHOLE_GRANT) tokens = Math.ceil(tokens / 2);
    if (tokens < 1) {
      this.#state = phase === 'answer' ? 'spent' : this.#state === 'running' ? 'concluding' : this.#state;
      return 0;
    }
    this.#open(index, lane, tokens);
    return tokens;
  }

  #open(index: number, lane: LaneState, tokens: number): void {
    lane.granted = tokens;
    const { cost, length } = this.#options.lane(index);
    for (const { prices, amount } of this.#limits) {
      prices?.[index]?.begin(amount(lane.tokens, cost), cost.sampled, length, this.#running());
    }
  }

  /** Tokens the lane may have of this limit: its fair share, or `kept` where that is more; never what others hold. */
  #allowance(limit: Limit, index: number, kept: number): number {
    let free = limit.total - limit.common;
    let pot = free;
    for (const [i, lane] of this.#lanes.entries()) {
      const spent = limit.spent[i] as number;
      const reserve = this.#costOf(limit, i, lane.reserve, lane.length + lane.granted);
      free -= spent + reserve + this.#costOf(limit, i, lane.granted, lane.length);
      pot -= reserve + (lane.phase === 'ended' ? spent : 0);
    }
    const { length } = this.#lanes[index] as LaneState;
    const fair = pot / this.#running() - (limit.spent[index] as number);
    const rows = Math.max(this.#rowsFor(limit, index, fair, length), kept);
    return Math.min(rows, this.#rowsFor(limit, index, free, length));
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
