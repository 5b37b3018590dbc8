/** How many lanes and how long, within the budget that was written: what the planner advises for this model and device. */
import type { ModelInfo } from '../src/api/types.ts';
import { accuracyPrior, planRun } from '../src/cost/index.ts';
import { ReckonError } from '../src/errors.ts';
import type { Question } from './puzzles.ts';
import { BOUNDS, budgetOf, type Settings, selectorFor } from './settings.ts';

export interface Suggestion {
  readonly settings: Partial<Settings>;
  /** Why, for people. */
  readonly reason: string;
}

/** Tokens of a puzzle's prompt, roughly: a word or sign is one. It matters little beside what is thought. */
const promptTokens = (text: string) => text.split(/\s+/).length * 2 + 8;

/**
 * The most accurate plan within the budget, for a puzzle whose accuracy is known of.
 * @throws ReckonError `bad-option` where nothing is known of the model on such questions, or the device was not measured;
 *   `over-capacity` where no plan fits, saying what the least one needs.
 */
export function suggest(question: Question, settings: Settings, info: ModelInfo): Suggestion {
  const prior = 'problem' in question ? accuracyPrior(info.name, question.problem.task) : undefined;
  if (!prior || !('problem' in question)) {
    throw new ReckonError('bad-option', `How accurate ${info.name} is on such questions is not known.`, {
      hint: 'An experiment in the lab can measure it.',
    });
  }
  const { calibration, capacity, precision, shape } = info;
  if (!calibration) throw new ReckonError('bad-option', 'What this device sustains was not measured.');
  const select = selectorFor(settings, true);
  const { best, reason } = planRun({
    prompt: promptTokens(question.problem.prompt),
    models: [{ shape, accuracy: prior.parameters, evidence: prior.evidence, precision }],
    device: {
      figures: {
        flops: calibration.flops32,
        bandwidth: calibration.bandwidth,
        dispatchSeconds: calibration.dispatchSeconds,
      },
      memoryBytes: info.weightBytes + capacity.totalPages * capacity.pageSize * capacity.bytesPerToken,
      maxLanes: Math.min(BOUNDS.lanes.max, capacity.maxLanes),
    },
    budget: budgetOf(settings) ?? {},
    selection: select === 'verifier' ? 'verifier' : 'majority',
  });
  return { settings: { lanes: best.trials, thinking: Math.min(best.tokens, BOUNDS.thinking.max) }, reason };
}
