/** How many lanes and how long, within the budget that was written: what the planner advises for this model and device. */
import type { ModelInfo } from '../src/api/types.ts';
import {
  accuracyPrior,
  catalogueEntry,
  EMBEDDED_MODELS,
  type PlannerModel,
  type PlannerRequest,
  planRun,
} from '../src/cost/index.ts';
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

/** Another model is worth a word where it is better by so much. */
const WORTH_SAYING = 0.01;

/** As priors name it. */
function taskOf(question: Question): string {
  return 'problem' in question ? `${question.problem.task}/${question.problem.difficulty}` : '';
}

/** The other embedded models that something is known of, as they would be loaded here. */
function othersThan({ name: loaded, precision }: ModelInfo, task: string): PlannerModel[] {
  return EMBEDDED_MODELS.flatMap((name) => {
    const known = name === loaded ? undefined : accuracyPrior(name, task);
    return known ? [{ shape: catalogueEntry(name), accuracy: known.parameters, precision }] : [];
  });
}

/**
 * The most accurate plan within the budget, for a puzzle whose accuracy is known of; and which other of the embedded models
 * would do better within it.
 * @param others the other models to consider.
 * @throws ReckonError `bad-option` where nothing is known of the model on such questions, or the device was not measured;
 *   `over-capacity` where no plan fits, saying what the least one needs.
 */
export function suggest(
  question: Question,
  settings: Settings,
  info: ModelInfo,
  others: readonly PlannerModel[] = othersThan(info, taskOf(question)),
): Suggestion {
  const task = taskOf(question);
  const prior = accuracyPrior(info.name, task);
  if (!prior || !('problem' in question)) {
    throw new ReckonError('bad-option', `How accurate ${info.name} is on such questions is not known.`, {
      hint: 'An experiment in the lab can measure it.',
    });
  }
  const { calibration, capacity, precision, shape } = info;
  if (!calibration) throw new ReckonError('bad-option', 'What this device sustains was not measured.');
  const select = selectorFor(settings, true);
  const request: Omit<PlannerRequest, 'models'> = {
    prompt: promptTokens(question.problem.prompt),
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
  };
  const own = { shape, accuracy: prior.parameters, evidence: prior.evidence, precision };
  const { best, reason } = planRun({ ...request, models: [own] });
  const rival = others.length > 0 ? planRun({ ...request, models: [own, ...others] }).best : best;
  const better =
    rival.accuracy >= best.accuracy + WORTH_SAYING
      ? ` ${rival.model} would reach ${(100 * rival.accuracy).toFixed(1)} % within the same budget, in ${rival.trials} ${rival.trials === 1 ? 'lane' : 'lanes'} of up to ${rival.tokens} tokens.`
      : '';
  return {
    settings: { lanes: best.trials, thinking: Math.min(best.tokens, BOUNDS.thinking.max) },
    reason: `${reason}${better}`,
  };
}
