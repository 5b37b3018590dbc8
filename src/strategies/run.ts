/** The lanes of one run, what they cost and may cost, and the means to stop them. */
import type { Lane, Ledger, LedgerSnapshot } from '../engine/types.ts';
import { throwIfAborted } from '../errors.ts';
import { eflopsOf, fractionSpent, PAPER_INTENSITY } from './budget.ts';
import { runCandidate } from './candidate.ts';
import { readPrompt, stepCost } from './prompt.ts';
import { BOUNDLESS, leastTokens, Purse, type StepCost } from './purse.ts';
import type { BudgetEvent, CostEvent, StrategyContext } from './types.ts';
import { denseCost, sumSnapshots } from './usage.ts';

/** Tokens of a forced close; 0 where there is no thinking to close. */
function closeTokens({ engine, dialect }: StrategyContext): number {
  return dialect.thinks ? engine.encode(dialect.close).length : 0;
}

/** Tokens that a lane may come to hold, and those of a probe beside it, to the page. */
function longest(context: StrategyContext): number {
  const { engine, prompt, dialect, thinking, answer } = context;
  const close = closeTokens(context);
  const length = prompt.length + (dialect.thinks ? thinking.maxTokens + close : 0) + answer.maxTokens;
  if (!dialect.thinks || !thinking.stableAnswer) return length;
  const { pageSize, maxContext } = engine.capacity;
  // Never more than the context because of a probe: where it ends, there is no thinking left to probe.
  return Math.max(length, Math.min(maxContext, length + pageSize + close + answer.maxTokens));
}

export class Run {
  readonly lanes: readonly Lane[];
  readonly #context: StrategyContext;
  readonly #controllers: readonly AbortController[];
  readonly #pruned = new Set<number>();
  readonly #prompt: LedgerSnapshot;
  /** Accounts of lanes on the side, by the lane they are for. */
  readonly #sides: readonly Ledger[][];
  readonly #clock: () => number;
  readonly #started: number;
  readonly #purse: Purse | null;

  private constructor(
    context: StrategyContext,
    lanes: readonly Lane[],
    prompt: LedgerSnapshot,
    step: StepCost,
    started: number,
  ) {
    this.lanes = lanes;
    this.#context = context;
    this.#prompt = prompt;
    this.#started = started;
    this.#clock = clockOf(context);
    this.#sides = lanes.map(() => []);
    this.#controllers = lanes.map(() => new AbortController());
    this.#purse = context.budget ? this.#fill(context.budget, step) : null;
  }

  /**
   * Reads the prompt once and forks `count` lanes off it.
   * @throws ReckonError `over-capacity` for lanes that do not fit, or a budget that cannot pay them; `aborted`.
   */
  static async start(context: StrategyContext, count: number): Promise<Run> {
    const { engine, prompt, signal, intensity = PAPER_INTENSITY } = context;
    const started = clockOf(context)();
    engine.admit({ lanes: count, shared: prompt.length, length: longest(context) });
    const need = { lanes: count, tokens: leastTokens(closeTokens(context), context.answer.maxTokens) };
    const opened = [engine.open()];
    // A lane that is disposed while it reads stops reading: a long prompt does not outlive its abort.
    const leave = () => {
      for (const lane of opened) lane.dispose();
    };
    signal?.addEventListener('abort', leave, { once: true });
    try {
      const [root] = opened as [Lane];
      if (context.attention) root.attention = context.attention;
      const alone = await readPrompt(root, context, intensity, need);
      const read = root.ledger.snapshot();
      const lanes = root.fork(count);
      opened.push(...lanes);
      root.dispose();
      const step = await stepCost(lanes, engine.capacity.maxLanes, alone, read, context, intensity, need);
      return new Run(context, lanes, read, step, started);
    } catch (error) {
      leave();
      throwIfAborted(signal, 'The run');
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
    }
  }

  #fill(budget: NonNullable<StrategyContext['budget']>, step: StepCost): Purse {
    const { engine, answer, prompt, intensity = PAPER_INTENSITY } = this.#context;
    return new Purse({
      budget,
      intensity,
      seconds: () => this.#seconds(),
      lanes: this.lanes.length,
      slots: engine.capacity.maxLanes,
      close: closeTokens(this.#context),
      answer: answer.maxTokens,
      promptTokens: prompt.length,
      prompt: this.#prompt,
      step,
      lane: (index) => ({ cost: this.#laneCost(index), length: (this.lanes[index] as Lane).length }),
    });
  }

  candidates(seeds: readonly number[]) {
    return this.lanes.map((lane, index) =>
      runCandidate(this.#context, {
        lane,
        index,
        seed: seeds[index] as number,
        share: this.#purse?.share(index) ?? BOUNDLESS,
        charge: (ledger) => this.#sides[index]?.push(ledger),
        signal: (this.#controllers[index] as AbortController).signal,
        pruned: () => this.#pruned.has(index),
      }),
    );
  }

  prune(index: number): void {
    this.#pruned.add(index);
    this.#controllers[index]?.abort();
  }

  readonly stop = (): void => {
    for (const controller of this.#controllers) controller.abort();
  };

  #seconds(): number {
    return (this.#clock() - this.#started) / 1000;
  }

  #laneCost(index: number) {
    const ledgers = [(this.lanes[index] as Lane).ledger, ...(this.#sides[index] as Ledger[])];
    return sumSnapshots(ledgers.map((ledger) => ledger.snapshot()));
  }

  cost(): CostEvent {
    const lanes = this.lanes.map((_, index) => this.#laneCost(index));
    const total = sumSnapshots([this.#prompt, ...lanes]);
    const dense = denseCost(total);
    return { type: 'cost', lanes, total, seconds: this.#seconds(), ...(dense ? { dense } : {}) };
  }

  /** Null without a budget. */
  spending({ total, seconds }: CostEvent): BudgetEvent | null {
    const { budget, intensity = PAPER_INTENSITY } = this.#context;
    if (!budget || !this.#purse) return null;
    const { tokens, state } = this.#purse;
    const spent = { tokens, seconds, eflops: eflopsOf(total, intensity), bytes: total.bytes };
    return { type: 'budget', spent, budget: { ...budget }, fraction: fractionSpent(spent, budget), state };
  }

  dispose(): void {
    for (const lane of this.lanes) lane.dispose();
  }
}

/** Milliseconds from some origin. */
function clockOf({ clock }: StrategyContext): () => number {
  return clock ?? (() => performance.now());
}
