/** What a run's events say about its cost and its budget, as one plain value. Nothing here knows the DOM. */
import { BUDGET_NAMES, type Budget, eflopsOf, PAPER_INTENSITY } from '../strategies/budget.ts';
import type { BudgetEvent, ReasoningEvent } from '../strategies/types.ts';

export type BudgetName = (typeof BUDGET_NAMES)[number];

/** One limit and what has been spent of it, in the limit's own unit. */
export interface Gauge {
  readonly name: BudgetName;
  readonly spent: number;
  readonly limit: number;
}

/** `idle`: nothing has come yet. `over`: the run has ended, whatever way. */
export type AccountState = 'idle' | BudgetEvent['state'] | 'over';

/** Pairs of seconds and tokens over which the pace of now is taken. */
const WINDOW = 1.5;

export class Account {
  #state: AccountState = 'idle';
  #budget: Budget = {};
  #tokens = 0;
  /** Tokens as the budget counts them, which come with its own events. */
  #charged: number | null = null;
  #seconds = 0;
  #flops = 0;
  #bytes = 0;
  /** As the run's own intensity weighs bytes; null without a budget. */
  #eflops: number | null = null;
  #recent: { seconds: number; tokens: number }[] = [];
  readonly #lanes = new Set<number>();

  get state(): AccountState {
    return this.#state;
  }

  /** Tokens generated, over all lanes: with a budget as it counts them, else those sampled. */
  get tokens(): number {
    return this.#charged ?? this.#tokens;
  }

  /** Wall seconds. */
  get seconds(): number {
    return this.#seconds;
  }

  get flops(): number {
    return this.#flops;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Tokens a second: of the last moments while it runs, of the whole run afterwards. NaN before there is a pace. */
  get pace(): number {
    const [first] = this.#recent;
    const last = this.#recent.at(-1);
    if (this.#state !== 'over' && first && last && last.seconds > first.seconds) {
      return (last.tokens - first.tokens) / (last.seconds - first.seconds);
    }
    return this.#seconds > 0 ? this.tokens / this.#seconds : Number.NaN;
  }

  /** FLOPs + intensity · bytes. */
  eflops(intensity = PAPER_INTENSITY): number {
    return eflopsOf({ flops: this.#flops, bytes: this.#bytes }, intensity);
  }

  /** A gauge for each limit; those of `expected` until the run tells its own. */
  gauges(expected: Budget = {}): Gauge[] {
    const told = Object.keys(this.#budget).length > 0 ? this.#budget : expected;
    const spent = {
      tokens: this.tokens,
      seconds: this.#seconds,
      eflops: this.#eflops ?? this.eflops(),
      bytes: this.#bytes,
    };
    return BUDGET_NAMES.flatMap((name) => {
      const limit = told[name];
      return limit === undefined ? [] : [{ name, spent: spent[name], limit }];
    });
  }

  /** @returns whether anything changed. */
  take(event: ReasoningEvent): boolean {
    switch (event.type) {
      case 'lane':
        // A lane that starts twice is another run, also where the one before was aborted and never said so.
        if (this.#state === 'over' || this.#lanes.has(event.lane)) this.reset();
        this.#lanes.add(event.lane);
        if (this.#state === 'idle') this.#state = 'running';
        return true;
      case 'budget': {
        const { spent, budget, state } = event;
        this.#budget = budget;
        this.#state = state;
        this.#charged = spent.tokens;
        this.#eflops = spent.eflops;
        this.#bytes = spent.bytes;
        this.#moment(spent.seconds, spent.tokens);
        return true;
      }
      case 'cost': {
        const { total, seconds } = event;
        if (this.#state === 'idle') this.#state = 'running';
        this.#tokens = total.sampled;
        this.#flops = total.flops;
        this.#bytes = total.bytes;
        // With a budget its own events bring the tokens, and two counts would make the pace jump.
        if (this.#charged === null) this.#moment(seconds, total.sampled);
        else this.#seconds = Math.max(this.#seconds, seconds);
        return true;
      }
      case 'done': {
        const { ledger, seconds } = event.answer.usage;
        this.#tokens = ledger.sampled;
        this.#flops = ledger.flops;
        this.#bytes = ledger.bytes;
        this.#seconds = seconds;
        this.#state = 'over';
        return true;
      }
      default:
        return false;
    }
  }

  /** The run is over, though no event said so. */
  end(): void {
    if (this.#state !== 'idle') this.#state = 'over';
  }

  reset(): void {
    this.#state = 'idle';
    this.#budget = {};
    this.#tokens = this.#seconds = this.#flops = this.#bytes = 0;
    this.#charged = this.#eflops = null;
    this.#recent = [];
    this.#lanes.clear();
  }

  #moment(seconds: number, tokens: number): void {
    this.#seconds = Math.max(this.#seconds, seconds);
    const recent = this.#recent;
    recent.push({ seconds, tokens });
    while (recent.length > 2 && seconds - recent[1]!.seconds >= WINDOW) recent.shift();
  }
}
