/** Checks of what a strategy is given, before anything runs. */
import type { Sampling } from '../engine/types.ts';
import { checkNumber, ReckonError } from '../errors.ts';
import { checkBudget } from './budget.ts';
import { checkThinking } from './thinking.ts';
import type { StrategyContext } from './types.ts';

/** @throws ReckonError `bad-option` for a sampling setting out of its range. */
export function checkSampling(sampling: Sampling): void {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = sampling;
  if (temperature !== undefined) checkNumber('temperature', temperature, { min: 0, max: 100 });
  if (topK !== undefined) checkNumber('topK', topK, { min: 0, integer: true });
  if (topP !== undefined) checkNumber('topP', topP, { min: 0, max: 1, exclusiveMin: true });
  if (minP !== undefined) checkNumber('minP', minP, { min: 0, max: 1 });
  if (repetitionPenalty !== undefined) {
    checkNumber('repetitionPenalty', repetitionPenalty, { min: 0, max: 100, exclusiveMin: true });
  }
  if (seed !== undefined) checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
}

/** @throws ReckonError `bad-option` for an empty prompt, a limit below one token, bad settings of thinking, sampling or budget. */
export function checkContext(context: StrategyContext): void {
  if (context.prompt.length === 0) {
    throw new ReckonError('bad-option', 'The prompt is empty.', { hint: 'Give at least one token to start from.' });
  }
  if (context.dialect.thinks) checkThinking(context.thinking, context.dialect);
  checkNumber('answer.maxTokens', context.answer.maxTokens, { min: 1, integer: true });
  checkSampling(context.sampling);
  if (context.budget) checkBudget(context.budget);
  if (context.intensity !== undefined) checkNumber('intensity', context.intensity, { min: 0 });
}
