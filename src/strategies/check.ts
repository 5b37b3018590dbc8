/** Checks of what a strategy is given, before anything runs. */
import type { Sampling } from '../engine/types.ts';
import { checkNumber, ReckonError } from '../errors.ts';
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

/** @throws ReckonError `bad-option` for an empty prompt, a limit below one token or bad sampling settings. */
export function checkContext(context: StrategyContext): void {
  if (context.prompt.length === 0) {
    throw new ReckonError('bad-option', 'The prompt is empty.', { hint: 'Give at least one token to start from.' });
  }
  if (context.dialect.thinks) checkNumber('thinking.maxTokens', context.thinking.maxTokens, { min: 1, integer: true });
  checkNumber('answer.maxTokens', context.answer.maxTokens, { min: 1, integer: true });
  checkSampling(context.sampling);
}

/**
 * The options as a record without unknown names.
 * @throws ReckonError `bad-option` naming what is not an option.
 */
export function checkOptions(strategy: string, options: unknown, known: readonly string[]): Record<string, unknown> {
  if (options === undefined) return {};
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new ReckonError('bad-option', `The options of ${strategy} are not an object.`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new ReckonError('bad-option', `${strategy} has no option ${JSON.stringify(name)}.`, {
      hint: known.length > 0 ? `It has: ${known.join(', ')}.` : 'It takes none.',
      details: { strategy, name },
    });
  }
  return options as Record<string, unknown>;
}
