/** The tasks there are, by name, and the way from a typed puzzle to a problem. */
import { isReckonError, ReckonError } from '../errors.ts';
import { countdown } from './countdown.ts';
import { knights } from './knights.ts';
import type { Problem, Task } from './types.ts';

export { type CountdownData, countdown } from './countdown.ts';
export { type CountdownStep, formatSteps, solveCountdown } from './countdown-solver.ts';
export { knights } from './knights.ts';
export { type KnightsData, type Statement, solveKnights } from './knights-logic.ts';
export { Random } from './random.ts';
export type { Problem, Task, Verdict } from './types.ts';

/** All tasks, in the order a person is offered them. */
export const tasks: readonly Task[] = [countdown, knights];

/** Other names people use. */
const ALIASES: Readonly<Record<string, string>> = { kk: 'knights', 'knights-and-knaves': 'knights' };

/**
 * The task of this name, or of a common abbreviation of it ("kk").
 * @throws ReckonError `bad-option` listing the names there are.
 */
export function taskById(id: string): Task {
  const name = Object.hasOwn(ALIASES, id) ? ALIASES[id] : id;
  const task = tasks.find((known) => known.id === name);
  if (task) return task;
  throw new ReckonError('bad-option', `There is no task ${JSON.stringify(id)}.`, {
    hint: `Known tasks: ${tasks.map((known) => known.id).join(', ')}.`,
    details: { id },
  });
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
