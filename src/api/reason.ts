/** From a request to a strategy on the engine, and its events as one stream with a result. */
import { accountRun } from '../cost/account.ts';
import { type Answer, type CostEvent, runStrategy, type StrategyContext } from '../strategies/index.ts';
import { contextOf, type Reasoner } from './request.ts';
import { Run } from './run.ts';
import type { ReasonRequest, ReasonRun } from './types.ts';

/** Costs go out with how well steps are predicted, where that is watched. */
function withTimes(event: CostEvent, { times }: Reasoner): CostEvent {
  const timing = times?.();
  return timing ? { ...event, timing } : event;
}

/** What the formulas expect of a run of these lengths, beside what it cost. */
function withAccount(
  answer: Answer,
  { accounted }: Reasoner,
  { attention }: Pick<StrategyContext, 'attention'>,
): Answer {
  if (!accounted) return answer;
  const { usage, candidates } = answer;
  const account = accountRun(accounted, {
    promptTokens: usage.promptTokens,
    lengths: candidates.map(({ tokens }) => tokens),
    measured: usage.ledger.classes,
    ...(attention ? { attention } : {}),
  });
  return { ...answer, usage: { ...usage, account } };
}

/** Starts a run. Nothing is computed before the microtask after; errors reject the result and end the iteration. */
export function reason(model: Reasoner, request: ReasonRequest): ReasonRun {
  return new Run(async (emit, signal) => {
    const context = { ...contextOf(model, request), signal };
    const { name, ...options } = request.strategy ?? { name: 'best-of-n' };
    const events = runStrategy(name, context, options);
    let answer: Answer | null = null;
    for (;;) {
      const { done, value } = await events.next();
      if (done) return answer ?? withAccount(value, model, context);
      if (value.type === 'cost') emit(withTimes(value, model));
      else if (value.type === 'done') {
        answer = withAccount(value.answer, model, context);
        emit({ ...value, answer });
      } else emit(value);
    }
  }, request?.signal);
}
