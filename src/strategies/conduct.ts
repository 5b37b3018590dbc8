/**
 * The course of every run that ends in one answer: prompt read once, lanes forked, candidates run side by side, one
 * chosen. Strategies that differ only in how many lanes, and in who chooses, are this with other arguments.
 */
import { abortedError, throwIfAborted } from '../errors.ts';
import type { CandidateStreamEvent } from './candidate.ts';
import { checkContext } from './check.ts';
import { merge } from './merge.ts';
import { Run } from './run.ts';
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

export interface ConductPlan {
  /** One lane per seed. */
  readonly seeds: readonly number[];
  readonly select: Selector['select'];
  /** Asked whenever a candidate ended; a reason prunes the lanes still running. Absent: every lane runs to its end. */
  readonly settled?: Selector['settled'];
}

/** Cost and budget events come at most this often, in milliseconds; a panel cannot show more. */
const COST_INTERVAL = 100;

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
