/** The settings of a run, their bounds, and the request they make. */
import type { ReasonRequest } from '../src/api/types.ts';
import { parsePolicy } from '../src/cost/attention.ts';
import { isReckonError } from '../src/errors.ts';
import { BUDGET_NAMES, type Budget } from '../src/strategies/budget.ts';
import { type Language, type LengthChoice, systemTurn } from '../src/tasks/offers.ts';
import { amount } from './amount.ts';
import type { Question } from './puzzles.ts';

export type Selector = 'verifier' | 'majority' | 'logprob';
export type LoopAction = 'off' | 'stop' | 'resample' | 'penalise';
export type BudgetName = (typeof BUDGET_NAMES)[number];

export interface Settings {
  /** Chains of thought side by side. */
  readonly lanes: number;
  readonly temperature: number;
  /** Most tokens a lane may think before it is made to answer. */
  readonly thinking: number;
  /** How models that were taught lengths of thought are asked to think. */
  readonly style: LengthChoice;
  readonly select: Selector;
  /** Stop lanes that can no longer change the choice. */
  readonly earlyStop: boolean;
  /** As it was written; empty is no limit. */
  readonly budget: Readonly<Record<BudgetName, string>>;
  /** Least tokens of thinking. */
  readonly leastThinking: number;
  /** What becomes of a lane that repeats itself. */
  readonly loop: LoopAction;
  /** Which tokens a token attends to, in the short form of policies. */
  readonly attention: string;
}

/** How the family is asked to think. */
export const STYLES: readonly { id: LengthChoice; label: string; explain: string }[] = [
  { id: 'auto', label: 'As it sees fit', explain: 'Easy puzzles in few words, hard ones searched aloud.' },
  { id: 'full', label: 'In full', explain: 'Every attempt is written out, dead ends and all.' },
  { id: 'pruned', label: 'Briefly', explain: 'Only what leads to the answer is written.' },
];

export const DEFAULTS: Settings = {
  lanes: 8,
  temperature: 1,
  thinking: 200,
  style: 'auto',
  select: 'verifier',
  earlyStop: false,
  budget: { tokens: '', seconds: '', eflops: '', bytes: '' },
  leastThinking: 0,
  loop: 'off',
  attention: 'dense',
};

export interface Bounds {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly explain: string;
}

export type NumberName = 'lanes' | 'temperature' | 'thinking' | 'leastThinking';

export const BOUNDS: Record<NumberName, Bounds> = {
  lanes: { label: 'Lanes', min: 1, max: 32, step: 1, explain: 'Chains of thought run side by side in one batch.' },
  temperature: {
    label: 'Temperature',
    min: 0,
    max: 2,
    step: 0.1,
    explain: '0 always takes the likeliest token, so that all lanes say the same; higher is more varied.',
  },
  thinking: {
    label: 'Thinking limit',
    min: 1,
    max: 4096,
    step: 1,
    explain: 'Tokens a lane may think before it is made to answer.',
  },
  leastThinking: {
    label: 'Least thinking',
    min: 0,
    max: 4096,
    step: 1,
    explain: 'Tokens a lane must think before it may answer.',
  },
};

export const BUDGETS: Record<BudgetName, { label: string; unit: string; example: string; explain: string }> = {
  tokens: { label: 'Token budget', unit: '', example: '2000', explain: 'Tokens that all lanes together may generate.' },
  seconds: { label: 'Time budget, s', unit: 's', example: '30', explain: 'Seconds that the run may take.' },
  eflops: {
    label: 'eFLOP budget',
    unit: 'eFLOP',
    example: '200 G',
    explain: 'Floating point operations, and 562.5 for each byte moved, that the run may cost.',
  },
  bytes: {
    label: 'Memory budget',
    unit: 'B',
    example: '500 M',
    explain: 'Bytes that the run may move between GPU memory and its compute units.',
  },
};

export type FieldName = NumberName | BudgetName | 'attention';

const FIELDS: readonly FieldName[] = [
  'lanes',
  'temperature',
  'thinking',
  ...BUDGET_NAMES,
  'leastThinking',
  'attention',
];

/** What is wrong with a field a person filled in, or null. */
export function complaintAbout(name: FieldName, settings: Settings): string | null {
  if (name === 'attention') return attentionComplaint(settings.attention);
  if (name in BUDGETS) return budgetComplaint(name as BudgetName, settings.budget[name as BudgetName]);
  const { label, min, max: most, step } = BOUNDS[name as NumberName];
  const value = settings[name as NumberName];
  const max = name === 'leastThinking' && settings.thinking >= 1 ? Math.min(most, settings.thinking) : most;
  const whole = step === 1;
  if (Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isInteger(value))) return null;
  return `${label} must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}.`;
}

function attentionComplaint(text: string): string | null {
  try {
    parsePolicy(text.trim());
    return null;
  } catch (error) {
    if (isReckonError(error, 'bad-option')) return error.message;
    throw error;
  }
}

function budgetComplaint(name: BudgetName, text: string): string | null {
  const { label, unit, example } = BUDGETS[name];
  if (text.trim() === '' || amount(text, unit) !== null) return null;
  return `${label} must be a number above 0, such as ${example}, or empty.`;
}

/** The first field with something wrong, in reading order. */
export function firstWrong(settings: Settings): FieldName | null {
  return FIELDS.find((name) => complaintAbout(name, settings) !== null) ?? null;
}

/** Without a verifier there is nothing to choose by but votes or log-probability. */
export function selectorFor(settings: Settings, verifiable: boolean): Selector {
  return settings.select === 'verifier' && !verifiable ? 'majority' : settings.select;
}

/** The limits that were filled in; null where none was. */
export function budgetOf(settings: Settings): Budget | null {
  const budget: Budget = {};
  for (const name of BUDGET_NAMES) {
    const limit = amount(settings.budget[name], BUDGETS[name].unit);
    if (limit !== null) budget[name] = limit;
  }
  return Object.keys(budget).length > 0 ? budget : null;
}

/**
 * The run these settings ask for.
 * @param language the model's: what it is told before the question follows from it.
 */
export function requestFor(
  question: Question,
  settings: Settings,
  language: Language,
  signal: AbortSignal,
): ReasonRequest {
  const select = selectorFor(settings, 'problem' in question);
  const { lanes, earlyStop, temperature, thinking, style, leastThinking, loop, attention } = settings;
  const budget = budgetOf(settings);
  const system = systemTurn(language, 'problem' in question ? question.problem.task : null, style);
  return {
    ...question,
    ...(system === undefined ? {} : { system }),
    strategy: { name: 'best-of-n', n: lanes, select, earlyStop },
    sampling: { temperature },
    thinking: {
      maxTokens: thinking,
      ...(leastThinking > 0 ? { minTokens: leastThinking } : {}),
      ...(loop === 'off' ? {} : { loop: { action: loop } }),
    },
    ...(budget ? { budget } : {}),
    ...(attention.trim() === 'dense' ? {} : { attention: parsePolicy(attention.trim()) }),
    signal,
  };
}
