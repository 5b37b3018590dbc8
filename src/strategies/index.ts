/** The strategies there are, by name. */
import { ReckonError } from '../errors.ts';
import { type BestOfNOptions, bestOfN, checkBestOfN } from './best-of-n.ts';
import { type ChainOfThoughtOptions, chainOfThought, checkChainOfThought } from './chain-of-thought.ts';
import type { Answer, ReasoningEvent, Strategy, StrategyContext } from './types.ts';

export { type BestOfNOptions, bestOfN, MAX_LANES } from './best-of-n.ts';
export { type Budget, checkBudget, PAPER_INTENSITY } from './budget.ts';
export { type ChainOfThoughtOptions, chainOfThought } from './chain-of-thought.ts';
export { denseRepetition } from './governors/index.ts';
export { laneSeed, randomSeed } from './seeds.ts';
export { SELECTOR_NAMES, type SelectorName } from './select.ts';
export {
  type Cue,
  type LoopOptions,
  type StableAnswerOptions,
  THINKING_NAMES,
  type ThinkingOptions,
} from './thinking.ts';
export type * from './types.ts';

/** The options of each strategy. */
export interface StrategyOptions {
  'best-of-n': BestOfNOptions;
  'chain-of-thought': ChainOfThoughtOptions;
}
export type StrategyName = keyof StrategyOptions;

export interface StrategyEntry<Options> {
  /** For people. */
  readonly title: string;
  /** One sentence. */
  readonly description: string;
  /**
   * Options from anywhere, checked.
   * @throws ReckonError `bad-option`.
   */
  readonly check: (options: unknown) => Options;
  readonly run: Strategy<Options>;
}

export const strategies: { readonly [Name in StrategyName]: StrategyEntry<StrategyOptions[Name]> } = {
  'best-of-n': {
    title: 'Best of N',
    description: 'Thinks in N independent chains side by side and chooses the best answer.',
    check: checkBestOfN,
    run: bestOfN,
  },
  'chain-of-thought': {
    title: 'Chain of thought',
    description: 'Thinks in one chain, up to a limit, and answers.',
    check: checkChainOfThought,
    run: chainOfThought,
  },
};

function isStrategyName(name: string): name is StrategyName {
  return Object.hasOwn(strategies, name);
}

/**
 * Starts the strategy of this name.
 * @throws ReckonError `bad-option`, at once, for an unknown name (listing the known ones) or options it cannot take.
 */
export function runStrategy(
  name: string,
  context: StrategyContext,
  options?: unknown,
): AsyncGenerator<ReasoningEvent, Answer, undefined> {
  if (!isStrategyName(name)) {
    throw new ReckonError('bad-option', `There is no strategy ${JSON.stringify(name)}.`, {
      hint: `Known strategies: ${Object.keys(strategies).join(', ')}.`,
      details: { name },
    });
  }
  const { check, run } = strategies[name] as StrategyEntry<unknown>;
  return run(context, check(options));
}
