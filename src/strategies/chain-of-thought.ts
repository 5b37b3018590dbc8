/** Chain of thought: one lane thinks, up to its limit, and answers. */

import { conduct } from './conduct.ts';
import { checkOptions } from './options.ts';
import { randomSeed } from './seeds.ts';
import { eligible } from './select.ts';
import type { Strategy } from './types.ts';

/** It has none: the limits and the sampling are the run's. */
export type ChainOfThoughtOptions = Record<string, never>;

/** @throws ReckonError `bad-option` for any option. */
export function checkChainOfThought(raw: unknown): ChainOfThoughtOptions {
  checkOptions('chain-of-thought', raw, []);
  return {};
}

/** The lane draws with `sampling.seed` itself, so a candidate of another run is repeated by its seed. */
export const chainOfThought: Strategy<ChainOfThoughtOptions> = async function* (context, raw) {
  checkChainOfThought(raw);
  return yield* conduct(context, {
    seeds: [context.sampling.seed ?? randomSeed()],
    select: (candidates) =>
      eligible(candidates).length > 0
        ? { lane: 0, reason: 'It is the only candidate.', scores: [] }
        : { lane: null, reason: 'The lane did not reach an answer.', scores: [] },
  });
};
