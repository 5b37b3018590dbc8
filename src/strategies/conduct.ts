/**
 * The course of every run that ends in one answer: prompt read once, lanes forked, candidates run side by side, one
 * chosen. Strategies that differ only in how many lanes, and in who chooses, are this with other arguments.
 */
import type { Lane, Ledger } from '../engine/types.ts';
import { abortedError, throwIfAborted } from '../errors.ts';
import { eflopsOf, fractionSpent, PAPER_INTENSITY } from './budget.ts';
import { type CandidateStreamEvent, runCandidate } from './candidate.ts';
import { checkContext } from './check.ts';
import { merge } from './merge.ts';
import { type PromptCost, readPrompt } from './prompt.ts';
import { BOUNDLESS, leastTokens, Purse } from './purse.ts';
import type { Selection, Selector } from './select.ts';
import type {
  Answer,
  BudgetEvent,
  Candidate,
  CostEvent,
  PruneEvent,
  ReasoningEvent,
  StrategyContext,
} from './types.ts';
import { sumSnapshots } from './usage.ts';

export interface ConductPlan {
  /** One lane per seed. */
  readonly seeds: readonly number[];
  readonly select: Selector['select'];
  /** Asked whenever a candidate ended; a reason prunes the lanes still running. Absent: every lane runs to its end. */
  readonly settled?: Selector['settled'];
}

/** Cost and budget events come at most this often, in milliseconds; a panel cannot show more. */
const COST_INTERVAL = 100;

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

/** The lanes of one run, what they cost, and the means to stop them. */
class Run {
  readonly lanes: readonly Lane[];
  readonly #context: StrategyContext;
  readonly #controllers: readonly AbortController[];
  readonly #pruned = new Set<number>();
  readonly #prompt: PromptCost;
  /** Accounts of lanes on the side, by the lane they are for. */
  readonly #sides: readonly Ledger[][];
  readonly #clock: () => number;
  readonly #started: number;
  readonly #purse: Purse | null;

  private constructor(context: StrategyContext, root: Lane, count: number, prompt: PromptCost, started: number) {
    this.#context = context;
    this.#prompt = prompt;
    this.#started = started;
    this.#clock = clockOf(context);
    this.#sides = Array.from({ length: count }, () => []);
    this.#controllers = this.#sides.map(() => new AbortController());
    // Refuses what cannot be paid before any lane is forked.
    this.#purse = context.budget ? this.#fill(context.budget, count) : null;
    this.lanes = root.fork(count);
  }

  /** Reads the prompt once and forks `count` lanes off it. */
  static async start(context: StrategyContext, count: number): Promise<Run> {
    const { engine, prompt, signal, budget = {}, intensity = PAPER_INTENSITY } = context;
    const started = clockOf(context)();
    engine.admit({ lanes: count, shared: prompt.length, length: longest(context) });
    const root = engine.open();
    // A lane that is disposed while it reads stops reading: a long prompt does not outlive its abort.
    const leave = () => root.dispose();
    signal?.addEventListener('abort', leave, { once: true });
    try {
      const tokens = leastTokens(closeTokens(context), context.answer.maxTokens);
      const cost = await readPrompt(root, prompt, budget, intensity, { lanes: count, tokens });
      return new Run(context, root, count, cost, started);
    } catch (error) {
      throwIfAborted(signal, 'The run');
      throw error;
    } finally {
      signal?.removeEventListener('abort', leave);
      root.dispose();
    }
  }

  #fill(budget: NonNullable<StrategyContext['budget']>, lanes: number): Purse {
    const { answer, prompt, intensity = PAPER_INTENSITY } = this.#context;
    return new Purse({
      budget,
      intensity,
      seconds: () => this.#seconds(),
      lanes,
      close: closeTokens(this.#context),
      answer: answer.maxTokens,
      promptTokens: prompt.length,
      prompt: this.#prompt.spent,
      rows: this.#prompt.rows,
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
    return { type: 'cost', lanes, total: sumSnapshots([this.#prompt.spent, ...lanes]), seconds: this.#seconds() };
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

/** The costs, and the budget's state where there is one. */
function* accounts(run: Run): Generator<CostEvent | BudgetEvent, CostEvent, undefined> {
  const cost = run.cost();
  yield cost;
  const spending = run.spending(cost);
  if (spending) yield spending;
  return cost;
}

function answerOf(context: StrategyContext, chosen: Selection, candidates: Candidate[], cost: CostEvent): Answer {
  const best = chosen.lane === null ? undefined : candidates[chosen.lane];
  return {
    text: best?.answer ?? '',
    reasoning: best?.reasoning ?? '',
    chosen: chosen.lane,
    reason: chosen.reason,
    candidates,
    usage: {
      promptTokens: context.prompt.length,
      completionTokens: candidates.reduce((sum, candidate) => sum + candidate.tokens, 0),
      ledger: cost.total,
      seconds: cost.seconds,
    },
  };
}

/** Passes on what the lanes do, with costs in between; ends when every lane has. */
async function* watch(
  run: Run,
  merged: AsyncGenerator<CandidateStreamEvent, Candidate[], undefined>,
  settled: Selector['settled'] | undefined,
): AsyncGenerator<ReasoningEvent, Candidate[], undefined> {
  const running = new Set(run.lanes.keys());
  const ended: Candidate[] = [];
  let open = true;
  let costAt = performance.now();
  for (;;) {
    const next = await merged.next();
    if (next.done) return next.value;
    yield next.value;
    if (next.value.type === 'candidate') {
      const { lane, candidate } = next.value;
      running.delete(lane);
      ended.push(candidate);
      const { verdict } = candidate;
      if (verdict) yield { type: 'score', lane, score: verdict.correct ? 1 : 0, verdict };
      const reason = open && running.size > 0 ? (settled?.(ended, running.size) ?? null) : null;
      if (reason !== null) {
        open = false;
        for (const other of running) {
          run.prune(other);
          yield { type: 'prune', lane: other, reason } satisfies PruneEvent;
        }
      }
    }
    if (performance.now() - costAt >= COST_INTERVAL) {
      costAt = performance.now();
      yield* accounts(run);
    }
  }
}

/**
 * Runs all lanes and chooses. Every lane's events come in the order `lane`, `token` …, `candidate` (a `prune` may come
 * between), then `score` with the verdict where there is a verifier; after all of them `score`s by vote or
 * log-probability where the selector goes by those, `select`, the last `cost` (and `budget`) and `done`.
 *
 * An abort ends every lane within one step, and the run then concludes with what there is: lanes that had ended are
 * chosen from, the others are candidates with `finish: 'abort'`, so that nothing generated is lost.
 *
 * @throws ReckonError `bad-option` or `over-capacity` before anything is generated; `aborted` only when the signal fired before
 * the first token; otherwise what the engine throws. All lanes are disposed in every case, also when the reader leaves.
 */
export async function* conduct(
  context: StrategyContext,
  plan: ConductPlan,
): AsyncGenerator<ReasoningEvent, Answer, undefined> {
  checkContext(context);
  const { signal } = context;
  throwIfAborted(signal, 'The run');
  const run = await Run.start(context, plan.seeds.length);
  const merged = merge(run.candidates(plan.seeds), run.stop);
  signal?.addEventListener('abort', run.stop, { once: true });
  // The signal may have fired while the lanes were being forked, before anybody listened.
  if (signal?.aborted) run.stop();
  try {
    const candidates = yield* watch(run, merged, plan.settled);
    if (signal?.aborted && candidates.every((candidate) => candidate.tokens === 0)) {
      throw abortedError('The run', signal);
    }
    const chosen = plan.select(candidates);
    for (const { lane, score } of chosen.scores) {
      const verdict = candidates[lane]?.verdict;
      yield verdict ? { type: 'score', lane, score, verdict } : { type: 'score', lane, score };
    }
    if (chosen.lane !== null) yield { type: 'select', lane: chosen.lane, reason: chosen.reason };
    const cost = yield* accounts(run);
    const answer = answerOf(context, chosen, candidates, cost);
    yield { type: 'done', answer };
    return answer;
  } finally {
    signal?.removeEventListener('abort', run.stop);
    run.stop();
    // Lanes must be idle before they are disposed.
    await merged.return([]);
    run.dispose();
  }
}
