/** The settings of a run, their bounds, and the request they make. */
import type { ReasonRequest } from '../src/api/types.ts';
import type { Question } from './puzzles.ts';

export type Selector = 'verifier' | 'majority' | 'logprob';

export interface Settings {
  /** Chains of thought side by side. */
  readonly lanes: number;
  readonly temperature: number;
  /** Most tokens a lane may think before it is made to answer. */
  readonly thinking: number;
  readonly select: Selector;
  /** Stop lanes that can no longer change the choice. */
  readonly earlyStop: boolean;
}

export const DEFAULTS: Settings = { lanes: 8, temperature: 1, thinking: 200, select: 'verifier', earlyStop: false };

export interface Bounds {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  readonly explain: string;
}

export const BOUNDS: Record<'lanes' | 'temperature' | 'thinking', Bounds> = {
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
};

/** What is wrong with a number a person entered, or null. */
export function complaintAbout(name: keyof typeof BOUNDS, value: number): string | null {
  const { label, min, max, step } = BOUNDS[name];
  const whole = step === 1;
  if (Number.isFinite(value) && value >= min && value <= max && (!whole || Number.isInteger(value))) return null;
  return `${label} must be ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}.`;
}

/** Without a verifier there is nothing to choose by but votes or log-probability. */
export function selectorFor(settings: Settings, verifiable: boolean): Selector {
  return settings.select === 'verifier' && !verifiable ? 'majority' : settings.select;
}

/** The run these settings ask for. */
export function requestFor(question: Question, settings: Settings, signal: AbortSignal): ReasonRequest {
  const select = selectorFor(settings, 'problem' in question);
  return {
    ...question,
    strategy: { name: 'best-of-n', n: settings.lanes, select, earlyStop: settings.earlyStop },
    sampling: { temperature: settings.temperature },
    thinking: { maxTokens: settings.thinking },
    signal,
  };
}
