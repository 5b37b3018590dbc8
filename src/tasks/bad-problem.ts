import { ReckonError } from '../errors.ts';

/**
 * How far a text got before it failed to be a puzzle of some task; the best attempt is the one a person is told about.
 * 0: nothing of the form; 1: words or signs of it; 2: its outline; 3: well-formed, but not a fair puzzle.
 */
export type Likeness = 0 | 1 | 2 | 3;

/** The error for a puzzle that a person typed and that cannot be posed. */
export function badProblem(
  task: string,
  likeness: Likeness,
  message: string,
  hint: string,
  details: Record<string, unknown> = {},
): ReckonError {
  return new ReckonError('bad-problem', message, { hint, details: { task, likeness, ...details } });
}
