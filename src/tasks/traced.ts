/**
 * Tasks whose reasoning can be written out and checked, line by line: what the embedded models are trained on. A trace is
 * lines of text, a step each; nothing else is needed to replay it.
 */
import type { Random } from './random.ts';
import type { Problem, Task } from './types.ts';

/** How hard a problem is by the search it takes, whatever the task's own scale says. */
export const LEVELS = ['easy', 'medium', 'hard'] as const;
export type Level = (typeof LEVELS)[number];

/**
 * Why a step is in a trace. `path`: it leads to the answer. `failure`: an attempt that is refuted at once. `detour`: part of
 * a branch that is given up later, or the giving up. `detail`: work on paper that can be done in the head.
 */
export type StepRole = 'path' | 'failure' | 'detour' | 'detail';

export interface Step {
  /** One line. */
  readonly text: string;
  readonly role: StepRole;
  /** False for a step that is wrong on purpose: what comes behind is to be learnt, not the mistake. Default true. */
  readonly sound?: boolean;
  /** How many characters at its start say what had better not been tried: not to be learnt, but what follows from it. Default 0. */
  readonly unlearnt?: number;
}

export interface Trace {
  readonly steps: readonly Step[];
  readonly answer: string;
}

/** How a trace errs. `none`: it does not. `late`: it comes to a wrong end, notices, and mends it. `recheck`: a right end is checked. */
export type Reconsidering = 'none' | 'late' | 'recheck';

/** How a search is made, where the task has a choice. */
export interface Manner {
  /** At least 1: so many times as much is tried before luck comes. Default 1. */
  readonly endurance?: number;
  /** In percent, how often something that is against the rules is tried first, and found to be. Default 0. */
  readonly foolish?: number;
  /**
   * Whether a branch is left after a try or two even where it could still lead on, to be taken up again later; and what is tried
   * in vain close to the end is to be read, not learnt. Default false.
   */
  readonly restless?: boolean;
}

/** What a checker says of one step. */
export interface StepCheck {
  readonly valid: boolean;
  /** 0 to 9: see {@link SCORES}. */
  readonly score: number;
  /** One sentence, also when valid. */
  readonly reason: string;
}

/** Scores of steps: the digits a model is trained to answer when it is asked to grade one. */
export const SCORES = {
  /** True, allowed, and the answer can still be reached without turning back. */
  good: 9,
  /** True and allowed, but nothing behind it leads to the answer. */
  astray: 7,
  /** Its facts are right; what it concludes, or does next, is not. */
  unfounded: 3,
  /** A false fact, or no step at all. */
  wrong: 0,
} as const;

export interface TracedTask extends Task {
  /** The same text for problems that differ in nothing but names or wording: by it training and evaluation are kept apart. */
  canonical(problem: Problem): string;
  level(problem: Problem): Level;
  /**
   * A search for the answer, written out.
   *
   * @returns null where this problem gives no occasion to reconsider so.
   */
  trace(problem: Problem, random: Random, reconsidering?: Reconsidering, manner?: Manner): Trace | null;
  /** Replays lines; one check a line. Never throws on any text. */
  check(problem: Problem, lines: readonly string[]): StepCheck[];
}

/** How much of a search is told. `full`: all; `trimmed`: no detours; `pruned`: the path alone. */
export const LENGTHS = ['full', 'trimmed', 'pruned'] as const;
export type Length = (typeof LENGTHS)[number];

const KEPT: Readonly<Record<Length, readonly StepRole[]>> = {
  full: ['path', 'failure', 'detour', 'detail'],
  trimmed: ['path', 'failure', 'detail'],
  pruned: ['path'],
};

/**
 * The length that suits a level. Whoever has to turn back must have seen it done, so only easy problems leave their detours out;
 * and none leaves out the work on paper, which small models cannot do in the head.
 */
export const FITTING: Readonly<Record<Level, Length>> = { easy: 'trimmed', medium: 'full', hard: 'full' };

export function stepsOf({ steps }: Trace, length: Length): Step[] {
  return steps.filter(({ role }) => KEPT[length].includes(role));
}

export function valid(score: number, reason: string): StepCheck {
  return { valid: true, score, reason };
}

export function invalid(reason: string, score: number = SCORES.wrong): StepCheck {
  return { valid: false, score, reason };
}
