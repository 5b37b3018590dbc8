/** Best-of-N: N chains of thought from one prompt, the best one chosen. */
import { checkNumber, ReckonError } from '../errors.ts';
import { conduct } from './conduct.ts';
import { checkOptions } from './options.ts';
import { laneSeed, randomSeed } from './seeds.ts';
import { SELECTOR_NAMES, type SelectorName, selectors } from './select.ts';
import type { Strategy } from './types.ts';

export interface BestOfNOptions {
  /** How many lanes, 1 to 256. Default 8. */
  n?: number;
  /** Who chooses. Default: the verifier where there is one, else the majority. */
  select?: SelectorName;
  /** Stop lanes that can no longer change the choice. Default true; false lets every lane run to its end. */
  earlyStop?: boolean;
}

export const MAX_LANES = 256;

/** @throws ReckonError `bad-option` naming the option, its value and what it may be. */
export function checkBestOfN(raw: unknown): BestOfNOptions {
  const given = checkOptions('best-of-n', raw, ['n', 'select', 'earlyStop']);
  const options: BestOfNOptions = {};
  if (given.n !== undefined) options.n = checkNumber('n', given.n, { min: 1, max: MAX_LANES, integer: true });
  if (given.select !== undefined) {
    const select = SELECTOR_NAMES.find((name) => name === given.select);
    if (!select) {
      throw new ReckonError('bad-option', `There is no selector ${JSON.stringify(given.select)}.`, {
        hint: `Choose one of: ${SELECTOR_NAMES.join(', ')}.`,
        details: { name: 'select', value: given.select },
      });
    }
    options.select = select;
  }
  if (given.earlyStop !== undefined) {
    if (typeof given.earlyStop !== 'boolean') {
      throw new ReckonError('bad-option', `earlyStop is ${JSON.stringify(given.earlyStop)}; it must be true or false.`);
    }
    options.earlyStop = given.earlyStop;
  }
  return options;
}

/**
 * The prompt is read once and forked `n` times; lane i draws with `laneSeed(sampling.seed, i)`.
 * @throws ReckonError `bad-option` when `select` is "verifier" and the problem has none; see {@link conduct} for the rest.
 */
export const bestOfN: Strategy<BestOfNOptions> = async function* (context, raw) {
  const { n = 8, select, earlyStop = true } = checkBestOfN(raw);
  if (select === 'verifier' && !context.verify) {
    throw new ReckonError('bad-option', 'select is "verifier", but this problem has no verifier.', {
      hint: 'Choose "majority" or "logprob", or pose a problem of a task.',
      details: { name: 'select', value: select },
    });
  }
  const selector = selectors[select ?? (context.verify ? 'verifier' : 'majority')];
  const base = context.sampling.seed ?? randomSeed();
  const seeds = Array.from({ length: n }, (_, lane) => laneSeed(base, lane));
  return yield* conduct(context, {
    seeds,
    select: selector.select,
    ...(earlyStop ? { settled: selector.settled } : {}),
  });
};
