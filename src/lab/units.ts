/**
 * An experiment cut into units: the chains of one problem under one thinking limit and KV policy that share a run. A unit's
 * problem and seeds follow from the experiment alone, so its chains are the same whenever, and beside whatever, it runs.
 */
import { ReckonError } from '../errors.ts';
import { numberedProblem } from '../tasks/corpus/index.ts';
import { type Problem, Random, taskById, tracedTasks } from '../tasks/index.ts';
import type { Experiment } from './experiment.ts';

export interface Unit {
  /** Unique within the experiment: "countdown/3/0/think64/dense/0". */
  readonly id: string;
  readonly problem: Problem;
  /** Number of the problem within its task and difficulty, from 0. */
  readonly index: number;
  readonly thinking: number;
  /** Name of the KV policy. */
  readonly kv: string;
  /** Number of the run among those of this problem, limit and policy, from 0. */
  readonly part: number;
  /** Chains to draw. */
  readonly samples: number;
  /** Base seed of the run. */
  readonly seed: number;
}

/** 53 bits out of an experiment's seed and a name. */
export function derivedSeed(seed: number, name: string): number {
  const random = Random.fromSeed(seed, `lab/${name}`);
  return (random.uint32() >>> 11) * 2 ** 32 + random.uint32();
}

/** Draws in a row that may bring a problem already had, before a task is taken to have no more. */
const PATIENCE = 1000;
/** Numbers of problems between one seed and the next. */
const NUMBERS = 2 ** 20;

/**
 * Draw number `draw` of a seed. Of tasks that models are trained on, only problems that training never sees: the numbered ones
 * of the evaluation, from number 0 on where the seed is 0.
 */
function drawn(id: string, difficulty: number, seed: number, draw: number): Problem {
  const task = taskById(id);
  const traced = tracedTasks.find((known) => known === task);
  if (traced) return numberedProblem(traced, difficulty, (seed % 2 ** 32) * NUMBERS + draw, true);
  return task.generate(derivedSeed(seed, `problem/${id}/${difficulty}/${draw}`), difficulty);
}

/**
 * The first `count` different problems that the seed names.
 * @throws ReckonError `bad-option` where the task has not that many.
 */
export function problemsOf(task: string, difficulty: number, count: number, seed: number): Problem[] {
  const found = new Map<string, Problem>();
  let repeats = 0;
  for (let draw = 0; found.size < count; draw++) {
    const problem = drawn(task, difficulty, seed, draw);
    repeats = found.has(problem.prompt) ? repeats + 1 : 0;
    if (repeats >= PATIENCE) {
      throw new ReckonError(
        'bad-option',
        `problems is ${count}, but ${task} of difficulty ${difficulty} seems to have only ${found.size} different ones.`,
        { hint: `Ask for at most ${found.size}, or for a higher difficulty.`, details: { field: 'problems' } },
      );
    }
    if (repeats === 0) found.set(problem.prompt, problem);
  }
  return [...found.values()];
}

/**
 * All units, problem by problem, so that an experiment cut short has whole problems.
 * @throws ReckonError `bad-option` where a task has too few problems.
 */
export function unitsOf(experiment: Experiment): Unit[] {
  const { seed, samples, lanes, thinking, kv } = experiment;
  const units: Unit[] = [];
  for (const { task, difficulties } of experiment.tasks) {
    for (const difficulty of difficulties) {
      for (const [index, problem] of problemsOf(task, difficulty, experiment.problems, seed).entries()) {
        const name = `${task}/${difficulty}/${index}`;
        for (const limit of thinking) {
          for (const policy of kv) {
            for (let part = 0; part * lanes < samples; part++) {
              units.push({
                id: `${name}/think${limit}/${policy}/${part}`,
                problem,
                index,
                thinking: limit,
                kv: policy,
                part,
                samples: Math.min(lanes, samples - part * lanes),
                // The same for every limit and policy: what differs between two of them is then not the luck of the draw.
                seed: derivedSeed(seed, `chains/${name}/${part}`),
              });
            }
          }
        }
      }
    }
  }
  return units;
}
