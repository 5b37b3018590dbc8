/** How a lane is to think: limits, cues, loops, and when an answer is settled enough. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { ThinkingDialect } from '../text/thinking.ts';

/** Text put into the thinking after every so many tokens of it. */
export interface Cue {
  every: number;
  text: string;
}

/** What to do about a lane that repeats itself. */
export interface LoopOptions {
  /** Tokens of a repeated passage that count as a loop. Default 40 (Demystifying Long CoT, arXiv 2502.03373). */
  ngram?: number;
  /**
   * `stop`: close the thinking. `resample`: take the repeat back and go on with another seed. `penalise`: go on under a
   * repetition penalty for twice `ngram` tokens. Default stop.
   */
  action?: 'stop' | 'resample' | 'penalise';
  /** Repetition penalty of `penalise`. Default 1.3. */
  penalty?: number;
  /** Resamples or penalties before the thinking is closed after all. Default 3. */
  attempts?: number;
}

/** Asking for the answer now and then, and stopping when it stays the same. */
export interface StableAnswerOptions {
  /** Tokens of thinking between two probes. */
  every: number;
  /** Probes in a row that must agree, at least 2. Default 3. */
  probes?: number;
  /** Most tokens of a probe's answer. Default: the answer's own limit. */
  maxTokens?: number;
}

export interface ThinkingOptions {
  /** Most tokens a lane may spend on thinking, those taken back included, before it is closed by force. */
  maxTokens: number;
  /** Least tokens of thinking; the model's own close is not let through before. Default 0. */
  minTokens?: number;
  /**
   * What becomes of a close before `minTokens`. `suppress` (default): the model cannot draw it. `cue`: it is taken back
   * and `earlyCue` written in its place.
   */
  onEarlyClose?: 'suppress' | 'cue';
  /** Default "\nWait,". */
  earlyCue?: string;
  cues?: readonly Cue[];
  loop?: LoopOptions;
  stableAnswer?: StableAnswerOptions;
}

export const THINKING_NAMES = [
  'maxTokens',
  'minTokens',
  'onEarlyClose',
  'earlyCue',
  'cues',
  'loop',
  'stableAnswer',
] as const satisfies readonly (keyof ThinkingOptions)[];

const ACTIONS = ['stop', 'resample', 'penalise'] as const;
const EARLY = ['suppress', 'cue'] as const;

function checkChoice(name: string, value: unknown, choices: readonly string[]): void {
  if (value === undefined || choices.some((choice) => choice === value)) return;
  throw new ReckonError('bad-option', `${name} is ${JSON.stringify(value)}.`, {
    hint: `Choose one of: ${choices.join(', ')}.`,
    details: { name, value },
  });
}

/** A text put into the thinking must be one, and must not end or begin it. */
function checkText(name: string, value: unknown, { open, marker }: ThinkingDialect): void {
  if (typeof value === 'string' && value !== '' && !value.includes(open) && !value.includes(marker)) return;
  throw new ReckonError('bad-option', `${name} is ${JSON.stringify(value)}.`, {
    hint: `Give a text of at least one character without ${open} and ${marker}.`,
    details: { name, value },
  });
}

/** @throws ReckonError `bad-option` naming the setting, its value and what it may be. */
export function checkThinking(thinking: ThinkingOptions, dialect: ThinkingDialect): void {
  const { maxTokens, minTokens, onEarlyClose, earlyCue, cues = [], loop, stableAnswer } = thinking;
  const count = { min: 1, integer: true };
  checkNumber('thinking.maxTokens', maxTokens, count);
  if (minTokens !== undefined) checkNumber('thinking.minTokens', minTokens, { min: 0, max: maxTokens, integer: true });
  checkChoice('thinking.onEarlyClose', onEarlyClose, EARLY);
  if (earlyCue !== undefined) checkText('thinking.earlyCue', earlyCue, dialect);
  if (!Array.isArray(cues)) throw new ReckonError('bad-option', 'thinking.cues is not a list.');
  for (const [i, cue] of cues.entries()) {
    checkNumber(`thinking.cues[${i}].every`, cue?.every, count);
    checkText(`thinking.cues[${i}].text`, cue?.text, dialect);
  }
  if (loop !== undefined) {
    if (loop.ngram !== undefined) checkNumber('thinking.loop.ngram', loop.ngram, { min: 2, integer: true });
    checkChoice('thinking.loop.action', loop.action, ACTIONS);
    if (loop.penalty !== undefined) {
      checkNumber('thinking.loop.penalty', loop.penalty, { min: 1, max: 100, exclusiveMin: true });
    }
    if (loop.attempts !== undefined) checkNumber('thinking.loop.attempts', loop.attempts, { min: 0, integer: true });
  }
  if (stableAnswer !== undefined) {
    checkNumber('thinking.stableAnswer.every', stableAnswer.every, count);
    const { probes, maxTokens: most } = stableAnswer;
    if (probes !== undefined) checkNumber('thinking.stableAnswer.probes', probes, { min: 2, integer: true });
    if (most !== undefined) checkNumber('thinking.stableAnswer.maxTokens', most, count);
  }
}
