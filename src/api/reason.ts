/** From a request to a strategy on the engine, and its events as one stream with a result. */
import { type CostEvent, runStrategy } from '../strategies/index.ts';
import { contextOf, type Reasoner } from './request.ts';
import { Run } from './run.ts';
import type { ReasonRequest, ReasonRun } from './types.ts';

/** Costs go out with how well steps are predicted, where that is watched. */
function withTimes(event: CostEvent, { times }: Reasoner): CostEvent {
  const timing = times?.();
  return timing ? { ...event, timing } : event;
}

/** Starts a run. Nothing is computed before the microtask after; errors reject the result and end the iteration. */
export function reason(model: Reasoner, request: ReasonRequest): ReasonRun {
  return new Run(async (emit, signal) => {
    const context = { ...contextOf(model, request), signal };
    const { name, ...options } = request.strategy ?? { name: 'best-of-n' };
    const events = runStrategy(name, context, options);
    for (;;) {
      const { done, value } = await events.next();
      if (done) return value;
      emit(value.type === 'cost' ? withTimes(value, model) : value);
    }
  }, request?.signal);
}
