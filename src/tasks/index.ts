/** The tasks there are, by name, and the way from a typed puzzle to a problem. */
import { isReckonError, ReckonError } from '../errors.ts';
import { arithmetic } from './arithmetic/task.ts';
import { countdown } from './countdown.ts';
import { islanders } from './islanders/task.ts';
import { knights } from './knights.ts';
import { recall } from './recall/task.ts';
import type { TracedTask } from './traced.ts';
import type { Problem, Task } from './types.ts';

export { type CountdownData, countdown } from './countdown.ts';
export { type CountdownStep, formatSteps, solveCountdown } from './countdown-solver.ts';
export { knights } from './knights.ts';
export { type KnightsData, type Statement, solveKnights } from './knights-logic.ts';
export {
  type Language,
  LENGTH_CHOICES,
  type LengthChoice,
  languageOf,
  type Offer,
  offerOf,
  offersFor,
  systemTurn,
} from './offers.ts';
export { Random } from './random.ts';
export type { Length, Level, Step, StepCheck, Trace, TracedTask } from './traced.ts';
export type { Problem, Task, Verdict } from './types.ts';

/** Tasks whose reasoning can be written out and checked: what the embedded family is trained on. */
export const tracedTasks: readonly TracedTask[] = [countdown, islanders, arithmetic, recall];

/** All tasks there are; `offersFor` tells which of them a model knows. */
export const tasks: readonly Task[] = [countdown, knights, islanders, arithmetic, recall];

/** Their names. */
export const taskIds: readonly string[] = tasks.map(({ id }) => id);

/** Other names people use. */
const ALIASES: Readonly<Record<string, string>> = { 'knights-and-knaves': 'kk' };

function find<T extends Task>(among: readonly T[], id: string): T {
  const name = Object.hasOwn(ALIASES, id) ? ALIASES[id] : id;
  const task = among.find((known) => known.id === name);
  if (task) return task;
  throw new ReckonError('bad-option', `There is no task ${JSON.stringify(id)}.`, {
    hint: `Known tasks: ${among.map((known) => known.id).join(', ')}.`,
    details: { id },
  });
}

/**
 * The task of this name, or of a common form of it.
 * @throws ReckonError `bad-option` listing the names there are.
 */
export function taskById(id: string): Task {
  return find(tasks, id);
}

/**
 * The task of this name, if its reasoning can be written out.
 * @throws ReckonError `bad-option` listing the names there are.
 */
export function tracedTaskById(id: string): TracedTask {
  return find(tracedTasks, id);
}

/**
 * Reads a typed puzzle of whatever task it belongs to.
 * @throws ReckonError `bad-problem`: the complaint of the task whose form the text comes nearest to, or, where it
 * resembles none, one that shows an example of each.
 */
export function problemFromText(text: string): Problem {
  let best: ReckonError | undefined;
  let likeness = 0;
  for (const task of tasks) {
    try {
      return task.parse(text);
    } catch (error) {
      if (!isReckonError(error, 'bad-problem')) throw error;
      const reached = Number(error.details.likeness);
      if (reached > likeness) [best, likeness] = [error, reached];
    }
  }
  if (best) throw best;
  throw new ReckonError('bad-problem', 'This is not a puzzle of any known task.', {
    hint: 'Write, for example, "Use 13 9 10 to make 77." or "A says B is a knave. B says A and B are different.".',
  });
}
