/**
 * Accuracy curves to begin with, before an experiment of one's own. Those of the embedded family were fitted to its evaluation
 * (`npm run report`). Each of the others goes through a stated accuracy of one trial; its shape is a guess, the same for all models
 * on a task, and says so.
 */
import { type AccuracyModel, type AccuracyParameters, throughPassAt1 } from './accuracy.ts';
import measured from './measured.json' with { type: 'json' };

type Shape = Omit<AccuracyParameters, 'location'>;

/** Traces of the competition problems average 14 to 16 thousand tokens under a cap of 32,768 (arXiv 2506.05333, D.1). */
const COMPETITION: Shape = { spread: 1.5, halfLength: 10_000, slope: 2, rivalry: 0.4, halfBudget: 96 };
const COMPETITION_CAP = 32_768;
/** Puzzle traces of the embedded model: two hundred tokens at most, of the second puzzle fewer. */
const COUNTDOWN: Shape = { spread: 1, halfLength: 70, slope: 3, rivalry: 0.3, halfBudget: 32 };
const KNIGHTS: Shape = { ...COUNTDOWN, halfLength: 30 };
const PUZZLE_CAP = 220;

/** One trial, in percent, measured by the authors' engine (README of their LiteSys). */
const QWEN3: readonly (readonly [model: string, aime24: number, aime25: number])[] = [
  ['Qwen3-0.6B', 11.5, 16.5],
  ['Qwen3-1.7B', 45.9, 38.6],
  ['Qwen3-4B', 71.7, 65.5],
  ['Qwen3-8B', 75.2, 68.8],
  ['Qwen3-14B', 79.6, 73.6],
  ['Qwen3-32B', 82.1, 72.9],
];

function prior(model: string, task: string, percent: number, cap: number, shape: Shape, by: string): AccuracyModel {
  return {
    model,
    task,
    parameters: throughPassAt1(percent / 100, cap, shape),
    origin: 'prior',
    evidence: `${percent} % of single trials within ${cap} tokens (${by}); the shape of the curve is assumed`,
  };
}

let made: readonly AccuracyModel[] | null = null;

/** All priors. Made at first use. */
export function accuracyPriors(): readonly AccuracyModel[] {
  const authors = 'Kinetics, LiteSys README';
  const own = 'README of the model, 20 problems';
  made ??= [
    ...QWEN3.flatMap(([model, aime24, aime25]) => [
      prior(model, 'aime24', aime24, COMPETITION_CAP, COMPETITION, authors),
      prior(model, 'aime25', aime25, COMPETITION_CAP, COMPETITION, authors),
    ]),
    ...(measured as readonly AccuracyModel[]),
    prior('proto', 'countdown', 85, PUZZLE_CAP, COUNTDOWN, own),
    prior('proto', 'knights', 99, PUZZLE_CAP, KNIGHTS, own),
  ];
  return made;
}

/**
 * The prior of a model on a task; undefined where nothing is known.
 * @param task its id, or with a difficulty: "kk/4". A prior without one stands in for any.
 */
export function accuracyPrior(model: string, task: string): AccuracyModel | undefined {
  const own = accuracyPriors().filter((item) => item.model === model);
  return own.find((item) => item.task === task) ?? own.find((item) => item.task === task.split('/')[0]);
}

/** Priors of all models on a task, named as for `accuracyPrior`. */
export function priorsOn(task: string): AccuracyModel[] {
  const models = [...new Set(accuracyPriors().map(({ model }) => model))];
  return models.flatMap((model) => accuracyPrior(model, task) ?? []);
}
